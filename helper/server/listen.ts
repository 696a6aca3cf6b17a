// The door: a unix socket. Who comes in is asked of the kernel before a byte is read: root, or a member of the group (by its
// own or a supplementary group). The socket file is open to all (0666), so that a stranger gets a refusal which the window
// can explain, and not a bare EACCES; the credentials decide, and where they cannot be read nobody comes in.
// Bounded for every caller: length of a line, requests under way, replies and events not yet read, time until hello.
import { chmodSync, lstatSync, mkdirSync, unlinkSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";

import type { HelperEvent, Reply } from "../contract/message.ts";
import { maxLineBytes } from "../contract/message.ts";
import { refuse } from "../contract/refusal.ts";
import { type Caller, dispatch, type Hub } from "./dispatch.ts";
import { splitLines } from "./lines.ts";

export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface Door {
  readonly path: string;
  /** Members may call; null: root alone. */
  readonly gid: number | null;
  /** Throws where the kernel does not say. */
  readonly credentials: (fd: number) => Credentials;
  readonly log: (what: string, data: Readonly<Record<string, unknown>>) => void;
}

export interface Listening {
  close(): Promise<void>;
}

const limits = {
  /** one window, one tray, some shells; a leaking client must not take all descriptors */
  callers: 64,
  /** a full node list is some 100 kB: a reader that lags this far behind does not read */
  unreadBytes: 8 * 1024 * 1024,
  helloMs: 5000,
} as const;

export async function listen(door: Door, hub: Hub): Promise<Listening> {
  mkdirSync(dirname(door.path), { recursive: true, mode: 0o755 });
  await removeStale(door.path);
  const callers = new Set<Socket>();
  const server = createServer((socket) => {
    receive(door, hub, callers, socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(door.path, resolve);
  });
  chmodSync(door.path, 0o666);
  return { close: () => close(server, callers) };
}

export function mayCall(caller: Credentials, gid: number | null): boolean {
  if (caller.uid === 0) return true;
  return gid !== null && (caller.gid === gid || caller.groups.includes(gid));
}

function receive(door: Door, hub: Hub, callers: Set<Socket>, socket: Socket): void {
  socket.on("error", () => socket.destroy());
  if (!isAllowed(door, socket)) {
    turnAway(socket, "call.not-allowed");
    return;
  }
  if (callers.size >= limits.callers) {
    turnAway(socket, "call.busy");
    return;
  }
  callers.add(socket);
  serve(door, hub, callers, socket);
}

/** A socket without credentials is nobody's: refused. */
function isAllowed(door: Door, socket: Socket): boolean {
  const fd = descriptorOf(socket);
  if (fd === null) return false;
  try {
    const credentials = door.credentials(fd);
    const allowed = mayCall(credentials, door.gid);
    if (!allowed) door.log("call refused", { uid: credentials.uid });
    return allowed;
  } catch (error) {
    door.log("call refused: no credentials", { error: String(error) });
    return false;
  }
}

function serve(door: Door, hub: Hub, callers: Set<Socket>, socket: Socket): void {
  const lines = splitLines(maxLineBytes);
  let unsubscribe: (() => void) | null = null;
  const send = (value: Reply | HelperEvent): void => {
    if (socket.destroyed || socket.writableEnded) return;
    // who does not read is let go: it comes back and asks for the status anew
    if (socket.writableLength > limits.unreadBytes) socket.destroy();
    else if (!socket.write(`${JSON.stringify(value)}\n`)) socket.pause();
  };
  const caller: Caller = {
    greeted: false,
    running: 0,
    subscribe: () => (unsubscribe ??= hub.subscribe(send)),
  };
  const hello = setTimeout(() => !caller.greeted && socket.destroy(), limits.helloMs);
  socket.on("drain", () => socket.resume());
  socket.on("close", () => {
    clearTimeout(hello);
    unsubscribe?.();
    callers.delete(socket);
  });
  socket.on("data", (chunk: Buffer) => {
    const complete = lines.push(chunk);
    if (complete === "too-long") {
      turnAway(socket, "call.too-big");
      return;
    }
    for (const line of complete) {
      void dispatch(hub, caller, line, (call, error) => {
        door.log("call failed", { call, error: error instanceof Error ? error.stack : String(error) });
      }).then(({ reply, close }) => {
        send(reply);
        if (close) socket.end();
      });
    }
  });
}

function turnAway(socket: Socket, code: "call.not-allowed" | "call.busy" | "call.too-big"): void {
  const reply: Reply = { id: null, ok: false, refusal: refuse(code).refusal };
  socket.removeAllListeners("data");
  // what it still sends is read and thrown away, or the kernel would cut the line before the refusal is read
  socket.resume();
  socket.end(`${JSON.stringify(reply)}\n`);
  setTimeout(() => socket.destroy(), 1000).unref();
}

/** Node keeps the descriptor in a field without a type. */
function descriptorOf(socket: Socket): number | null {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : null;
  return typeof fd === "number" && fd >= 0 ? fd : null;
}

/** A socket file that nobody listens on is left over; a living one belongs to another helper, and two would fight. */
async function removeStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw new Error(`${path} is there and is no socket`);
  const alive = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => {
      resolve(false);
    });
  });
  if (alive) throw new Error(`another helper listens on ${path}`);
  unlinkSync(path);
}

function close(server: Server, callers: Set<Socket>): Promise<void> {
  for (const socket of callers) socket.destroy();
  return new Promise((resolve) =>
    server.close(() => {
      resolve();
    }),
  );
}
