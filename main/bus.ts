// One question to the desktop's session bus: is somebody there who shows tray icons, and when does that change. A client
// of a page, instead of a library, for four messages of the D-Bus protocol (freedesktop's specification, 0.42).
import { createConnection, type Socket } from "node:net";

/** Calls `changed` with whether `name` has an owner, first as it is now, then at each change. No bus: never owned. */
export function watchName(name: string, changed: (owned: boolean) => void): () => void {
  const path = busPath(process.env["DBUS_SESSION_BUS_ADDRESS"], process.env["XDG_RUNTIME_DIR"]);
  if (path === undefined) {
    changed(false);
    return () => undefined;
  }
  const socket = createConnection(path);
  let buffer = Buffer.alloc(0);
  let greeted = false;
  socket.on("connect", () => {
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
    socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
  });
  socket.on("data", (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk]);
    if (!greeted) {
      const end = buffer.indexOf("\r\n");
      if (end < 0) return;
      if (!buffer.subarray(0, end).toString("latin1").startsWith("OK")) return void socket.destroy();
      buffer = buffer.subarray(end + 2);
      greeted = true;
      introduce(socket, name);
    }
    for (let size = sizeOf(buffer); size !== undefined && size <= buffer.length; size = sizeOf(buffer)) {
      const owned = ownedBy(buffer.subarray(0, size), name);
      buffer = buffer.subarray(size);
      if (owned !== undefined) changed(owned);
    }
  });
  // a bus that goes away takes the tray with it
  socket.on("error", () => undefined);
  socket.on("close", () => changed(false));
  return () => {
    socket.removeAllListeners("close");
    socket.destroy();
  };
}

/** Address list: `unix:path=/run/user/1000/bus,guid=…;…`. An abstract socket has a zero byte in front. */
export function busPath(address: string | undefined, runtimeDir: string | undefined): string | undefined {
  for (const one of (address ?? "").split(";")) {
    const found = /^unix:(?:.*,)?(path|abstract)=([^,]+)/.exec(one);
    if (found !== null) return `${found[1] === "abstract" ? "\0" : ""}${decodeURIComponent(found[2] ?? "")}`;
  }
  return runtimeDir === undefined ? undefined : `${runtimeDir}/bus`;
}

const nameHasOwner = 3;

function introduce(socket: Socket, name: string): void {
  const rule = `type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='${name}'`;
  socket.write("BEGIN\r\n");
  socket.write(call(1, "Hello"));
  socket.write(call(2, "AddMatch", rule));
  socket.write(call(nameHasOwner, "NameHasOwner", name));
}

/** A method call to the bus itself with at most one string. */
function call(serial: number, member: string, argument?: string): Buffer {
  const body = argument === undefined ? Buffer.alloc(0) : text(argument);
  const fields = [
    field(1, "o", text("/org/freedesktop/DBus")),
    field(2, "s", text("org.freedesktop.DBus")),
    field(3, "s", text(member)),
    field(6, "s", text("org.freedesktop.DBus")),
  ];
  if (argument !== undefined) fields.push(field(8, "g", Buffer.from("\x01s\0", "latin1")));
  // each field is a struct, and a struct begins at a multiple of 8
  const list = fields.reduce((all, one) => Buffer.concat([pad(all, 8), one]), Buffer.alloc(0));
  const head = Buffer.alloc(16);
  head.write("l\x01\0\x01", "latin1");
  head.writeUInt32LE(body.length, 4);
  head.writeUInt32LE(serial, 8);
  head.writeUInt32LE(list.length, 12);
  return Buffer.concat([pad(Buffer.concat([head, list]), 8), body]);
}

function field(code: number, signature: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([code, 1, signature.charCodeAt(0), 0]), value]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(`${value}\0`);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length - 1);
  return Buffer.concat([length, bytes]);
}

function pad(bytes: Buffer, to: number): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);
}

/** Length of the message at the front, known from its first 16 bytes. The bus speaks our own byte order back to us. */
function sizeOf(buffer: Buffer): number | undefined {
  if (buffer.length < 16) return undefined;
  return bodyStart(buffer) + buffer.readUInt32LE(4);
}

const bodyStart = (message: Buffer): number => 16 + Math.ceil(message.readUInt32LE(12) / 8) * 8;

/** What a message says of the name: the reply to NameHasOwner, or NameOwnerChanged; undefined for any other. */
function ownedBy(message: Buffer, name: string): boolean | undefined {
  const [methodReturn, signal] = [2, 4];
  const body = message.subarray(bodyStart(message));
  const kind = message[1];
  const fields = message.subarray(16, bodyStart(message));
  if (kind === methodReturn && body.length === 4 && replyTo(fields) === nameHasOwner) return body.readUInt32LE(0) === 1;
  if (kind !== signal || !fields.includes("NameOwnerChanged\0")) return undefined;
  const [changed, , owner] = strings(body, 3);
  return changed === name ? owner !== "" : undefined;
}

function replyTo(fields: Buffer): number | undefined {
  const at = fields.indexOf(Buffer.from([5, 1, "u".charCodeAt(0), 0]));
  return at < 0 ? undefined : fields.readUInt32LE(at + 4);
}

function strings(body: Buffer, count: number): readonly string[] {
  const found: string[] = [];
  let at = 0;
  while (found.length < count && at + 4 <= body.length) {
    const length = body.readUInt32LE(at);
    found.push(body.subarray(at + 4, at + 4 + length).toString("utf8"));
    at = Math.ceil((at + 4 + length + 1) / 4) * 4;
  }
  return found;
}
