// One end of the road: the program that carries the packets, started as its manual says, with its interface.
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";

import { keysOf } from "../lab/keys.ts";
import type { Machine } from "../lab/machine.ts";
import { until } from "../lab/process.ts";
import { type Programs, starter } from "./engine-peers.ts";
import { end, type Family, inside, other, outside, type Road, type Side } from "./engine-road.ts";

export type Kind = "culvert" | "wireguard_go" | "limit" | "limit_plain";

export interface End {
  readonly pid: number;
  readonly child: ChildProcess;
}

export type Pair = Readonly<Record<Side, End>>;

/** What fits a packet of 1,500 bytes over IPv6: 40 + 8 + 32. */
export const mtu = 1420;
const port = 51_820;
const device = "tunnel";

export async function startPair(
  road: Road,
  family: Family,
  programs: Programs,
  kinds: readonly [Kind, Kind],
): Promise<Pair> {
  const a = await startEnd(road, "a", family, programs, kinds[0]);
  const b = await startEnd(road, "b", family, programs, kinds[1]);
  return { a, b };
}

export async function endPair(pair: Pair): Promise<void> {
  await end([pair.a.child, pair.b.child]);
}

async function startEnd(road: Road, side: Side, family: Family, programs: Programs, kind: Kind): Promise<End> {
  const machine = road.machines[side];
  const addresses = [`${inside(side, 4)}/24`, `${inside(side, 6)}/64`];
  if (kind === "culvert" || kind === "wireguard_go") {
    const started = await startDevice(machine, programs, kind, device, addresses);
    const peer = {
      publicKey: keysOf(other(side)).publicKey,
      endpoint: socketAddress(other(side), family),
      allowed: [`${inside(other(side), 4)}/32`, `${inside(other(side), 6)}/128`],
    };
    await configure(machine, device, { privateKey: keysOf(side).privateKey, port, peers: [peer] });
    return started;
  }
  const cipher = kind === "limit" ? "aws" : "none";
  const roads = [socketAddress(side, 4), socketAddress(other(side), 4)];
  return raise(machine, device, addresses, [program(programs, "limit"), device, ...roads, cipher, "1"]);
}

/** A WireGuard device that has nothing to do yet. */
export async function startDevice(
  machine: Machine,
  programs: Programs,
  kind: "culvert" | "wireguard_go",
  name: string,
  addresses: readonly string[],
): Promise<End> {
  const path = program(programs, kind);
  const command =
    kind === "culvert"
      ? [starter, path, name]
      : ["env", "LOG_LEVEL=error", "WG_PROCESS_FOREGROUND=1", path, "-f", name];
  const started = await raise(machine, name, addresses, command);
  await until(`${kind} answers`, () => existsSync(uapiPath(machine, name)) || undefined);
  return started;
}

async function raise(
  machine: Machine,
  name: string,
  addresses: readonly string[],
  command: readonly string[],
): Promise<End> {
  const child = machine.spawn(command, { cwd: "/" });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stdout?.resume();
  await until(`${command.join(" ")} makes its interface`, async () => {
    if (child.exitCode !== null) throw new Error(`${command.join(" ")} ended: ${said}`);
    const { code } = await machine.exec(["ip", "link", "show", name], { mayFail: true });
    return code === 0 || undefined;
  });
  const add = addresses.map((address) => `ip addr add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`);
  await machine.exec([`ip link set ${name} mtu ${mtu}`, ...add, `ip link set ${name} up`].join("\n"));
  if (child.pid === undefined) throw new Error(`${command.join(" ")} has no process`);
  return { pid: child.pid, child };
}

export interface DeviceConfig {
  readonly privateKey: string;
  readonly port: number;
  readonly peers: readonly PeerConfig[];
  /** Lines of the UAPI beyond WireGuard's own. */
  readonly more?: readonly string[];
}

export interface PeerConfig {
  readonly publicKey: string;
  readonly endpoint?: string;
  readonly allowed: readonly string[];
  readonly more?: readonly string[];
}

/** The configuration protocol that both speak; keys are hexadecimal in it. */
export async function configure(machine: Machine, name: string, config: DeviceConfig): Promise<void> {
  const hex = (key: string): string => Buffer.from(key, "base64").toString("hex");
  const lines = [`private_key=${hex(config.privateKey)}`, `listen_port=${config.port}`, ...(config.more ?? [])];
  for (const peer of config.peers) {
    lines.push(`public_key=${hex(peer.publicKey)}`);
    if (peer.endpoint !== undefined) lines.push(`endpoint=${peer.endpoint}`);
    lines.push(...peer.allowed.map((prefix) => `allowed_ip=${prefix}`), ...(peer.more ?? []));
  }
  const answer = await ask(uapiPath(machine, name), `set=1\n${lines.join("\n")}\n\n`);
  if (!answer.startsWith("errno=0")) throw new Error(`configuring ${name} on ${machine.name}: ${answer}`);
}

/** A machine has its own /run. */
const uapiPath = (machine: Machine, name: string): string => `/proc/${machine.pid}/root/run/wireguard/${name}.sock`;

function ask(path: string, request: string): Promise<string> {
  return new Promise((done, failed) => {
    const socket = connect(path);
    let answer = "";
    socket.once("error", failed);
    socket.on("data", (chunk) => {
      answer += chunk.toString();
      if (!answer.endsWith("\n\n")) return;
      socket.destroy();
      done(answer);
    });
    socket.write(request);
  });
}

function program(programs: Programs, name: keyof Programs): string {
  const path = programs[name];
  if (path === undefined) throw new Error(`${name} is not there`);
  return path;
}

const socketAddress = (side: Side, family: Family): string =>
  `${family === 4 ? outside(side, 4) : `[${outside(side, 6)}]`}:${port}`;

/** Processor seconds that a process has used. proc(5): fields 14 and 15, in ticks of a hundredth. */
export function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The most it ever had resident. */
export function peakMiB(pid: number): number {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? NaN) / 1024;
}
