// Real systemd-resolved, Debian's resolvconf and openresolv for the net tests: laid over /usr and /etc of this mount
// namespace from the cache that set-up fills, with an empty /run, and taken off again. Who answers names is a second
// network namespace, whose every address answers with itself.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { Resolver } from "node:dns/promises";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { assertApart, sh, until } from "./apart.ts";

/** Where set-up unpacked the packages (scripts/resolvers.mjs); empty: this machine has no Debian packages. */
export const packages = process.env["CULVERT_RESOLVERS"] ?? "";

const startsWithinMs = 10_000;

/** Lays packages over this mount namespace; the returned call takes them off. */
export function layOver(names: readonly string[]): () => void {
  // in the machine's own mount namespace this would be seen by everybody
  assertApart();
  const work = mkdtempSync(join(tmpdir(), "culvert-over-"));
  sh(`mount -t tmpfs over ${work} && mkdir ${work}/up ${work}/work`);
  const laid = [work];
  const lay = (what: string, on: string): void => {
    sh(`mount -t ${what} ${on}`);
    laid.unshift(on);
  };
  for (const [on, places] of [
    ["/usr/bin", ["bin", "usr/bin"]],
    ["/usr/sbin", ["sbin", "usr/sbin"]],
    ["/usr/lib", ["lib", "usr/lib"]],
    ["/etc", ["etc"]],
  ] as const) {
    const layers = names.flatMap((name) => places.map((place) => join(packages, name, place))).filter(existsSync);
    const upper = on === "/etc" ? `,upperdir=${work}/up,workdir=${work}/work` : "";
    if (layers.length + upper.length > 0) lay(`overlay over -o lowerdir=${[...layers, on].join(":")}${upper}`, on);
  }
  lay("tmpfs run -o mode=755", "/run");
  return () => {
    // programs that run from there, this one among them, keep what they have open
    for (const on of laid) sh(`umount -l ${on}`);
    rmSync(work, { recursive: true });
  };
}

export interface RealResolved {
  restart(): Promise<void>;
  stop(): Promise<void>;
  close(): Promise<void>;
}

/** As its unit starts it: under its own user, on a system bus that knows its policy. */
export async function startResolved(): Promise<RealResolved> {
  writeFileSync("/etc/passwd", "systemd-resolve:x:990:990::/:/usr/sbin/nologin\n", { flag: "a" });
  writeFileSync("/etc/group", "systemd-resolve:x:990:\n", { flag: "a" });
  mkdirSync("/run/dbus");
  const bus = "unix:path=/run/dbus/system_bus_socket";
  const policy = join(packages, "systemd-resolved", "usr/share/dbus-1/system.d");
  writeFileSync(
    "/run/dbus/bus.conf",
    `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>${bus}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/></policy>
<includedir>${policy}</includedir></busconfig>\n`,
  );
  const daemon = start("dbus-daemon", ["--config-file=/run/dbus/bus.conf", "--nofork", "--nopidfile"]);
  await until(() => existsSync("/run/dbus/system_bus_socket"), startsWithinMs);
  sh("mkdir -p /run/systemd/resolve && chown systemd-resolve:systemd-resolve /run/systemd/resolve");
  sh("ln -sfn /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf");
  let resolved = await begin();
  return {
    async restart() {
      await ended(resolved, "SIGTERM");
      resolved = await begin();
    },
    stop: () => ended(resolved, "SIGTERM"),
    async close() {
      await ended(resolved, "SIGKILL");
      await ended(daemon, "SIGKILL");
    },
  };
}

async function begin(): Promise<ChildProcess> {
  const child = start("/usr/lib/systemd/systemd-resolved", []);
  // its socket's file outlives it; its name on the bus does not
  const named = "resolvectl dns >/dev/null 2>&1 && echo yes || true";
  await until(() => sh(named) !== "", startsWithinMs);
  return child;
}

/** The other end of each link: every address answers every name with itself. */
export interface Answering {
  /** A link whose other end has these addresses, of a network /24 in which this machine is .9. */
  link(name: string, addresses: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function answerNames(): Promise<Answering> {
  const child = spawn("unshare", ["--net", process.execPath, "-e", answering], { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise((begun) => child.stdout.once("data", begun));
  const inThere = (command: string): string => sh(`nsenter -t ${child.pid} -n ${command}`);
  return {
    async link(name, addresses) {
      sh(`ip link add ${name} type veth peer name far-${name} netns ${child.pid}`);
      for (const address of addresses) inThere(`ip addr add ${address}/24 dev far-${name}`);
      inThere(`ip link set far-${name} up`);
      sh(`ip addr add ${(addresses[0] ?? "").replace(/\d+$/, "9")}/24 dev ${name} && ip link set ${name} up`);
      // unlike a TUN's, whose state is always "unknown", a veth's is announced up to a second later
      await until(() => sh(`ip -o link show dev ${name}`).includes("state UP"), startsWithinMs);
      await until(() => addresses.every((address) => listens(child.pid, address)), startsWithinMs);
    },
    close: () => ended(child, "SIGKILL"),
  };
}

function listens(pid: number | undefined, address: string): boolean {
  const hex = address.split(".").map((byte) => Number(byte).toString(16).padStart(2, "0").toUpperCase());
  // the address as the kernel holds it, read as a number of this machine (little-endian); port 53
  return readFileSync(`/proc/${pid}/net/udp`, "utf8").includes(`${hex.reverse().join("")}:0035`);
}

/** Asks as the C library would: the first server that resolv.conf names, a name that nobody has asked before. */
export async function whoIsAsked(): Promise<string> {
  const [, server = ""] = /^nameserver (\S+)$/m.exec(readFileSync("/etc/resolv.conf", "utf8")) ?? [];
  const resolver = new Resolver({ timeout: 2000, tries: 3 });
  resolver.setServers([server]);
  const [address = ""] = await resolver.resolve4(`${randomUUID()}.example.com`);
  return address;
}

/** Bound once for all addresses, it cannot see which one was asked; so it looks for new ones when a question may come. */
const answering = `
  const { createSocket } = require("node:dgram"), os = require("node:os"), dns = require("dns-packet");
  const sockets = new Map();
  setInterval(look, 10); process.stdout.write(".");
  function look() {
    const here = Object.values(os.networkInterfaces()).flat().filter((a) => a.family === "IPv4").map((a) => a.address);
    for (const [address, socket] of sockets) if (!here.includes(address)) { socket.close(); sockets.delete(address); }
    for (const address of here) if (!sockets.has(address)) sockets.set(address, open(address));
  }
  function open(address) {
    const socket = createSocket("udp4");
    socket.on("error", () => sockets.delete(address));
    socket.on("message", (bytes, from) => {
      const { id, questions } = dns.decode(bytes);
      const answers = questions.filter((q) => q.type === "A").map((q) => ({ type: "A", name: q.name, ttl: 0, data: address }));
      const flags = dns.RECURSION_DESIRED | dns.RECURSION_AVAILABLE;
      socket.send(dns.encode({ type: "response", id, flags, questions, answers }), from.port, from.address);
    });
    socket.bind(53, address);
    return socket;
  }`;

function start(program: string, args: readonly string[]): ChildProcess {
  // dies with the test, also with one that is killed
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], { stdio: "ignore" });
  child.on("error", () => undefined);
  return child;
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once("exit", () => {
      done();
    });
    child.kill(signal);
  });
}
