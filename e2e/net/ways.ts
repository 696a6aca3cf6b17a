// Where packets of one kind went, told from the wires alone: a few are sent, and what arrives at the web's own wire shows
// whose address they came with. Direct ones must have left the laptop with an address of its uplink, others not at all.
import { expect } from "vitest";

import { covers, type Prefix } from "../../helper/contract/prefix.ts";
import { asUser } from "../lab/account.ts";
import { flood, type Stream } from "../lab/flood.ts";
import type { Frame } from "../lab/frame.ts";
import type { Machine } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { watch } from "../lab/watcher.ts";
import type { Road } from "./road.ts";

export interface Probe {
  readonly kind: "udp" | "connect" | "echo";
  readonly to: string;
  readonly port?: number;
  /** Who sends it; without, root. */
  readonly uid?: number;
}

/** refused: the kernel told the program at once; lost: sent, and seen nowhere. Anything else in words. */
export type Way = "tunnel" | "direct" | "lan" | "refused" | "lost" | (string & {});

type Host = Readonly<Record<"ipv4" | "ipv6", string>>;

/** The same over both families. */
export function both(kind: Probe["kind"], host: Host, rest: Omit<Probe, "kind" | "to"> = {}): readonly Probe[] {
  return [host.ipv4, host.ipv6].map((to) => ({ kind, to, ...rest }));
}

export function by(uid: number, probes: readonly Probe[]): readonly Probe[] {
  return probes.map((probe) => ({ ...probe, uid }));
}

export interface Sender {
  readonly machine: Machine;
  /** The addresses that its packets may have on the home's wire. */
  readonly sources: readonly string[];
}

/** Each of `expected` holds probes that must all go that way. */
export async function expectWays(
  road: Road,
  expected: Readonly<Partial<Record<Way, readonly Probe[]>>>,
  from: Sender = ofLaptop(road),
): Promise<void> {
  const told: Record<string, Way> = {};
  const wanted: Record<string, Way> = {};
  for (const [way, probes = []] of Object.entries(expected)) {
    for (const probe of probes) wanted[printProbe(probe)] = way;
    for (const [name, seen] of await waysOf(road, probes, from, way)) told[name] = seen;
  }
  expect(told).toEqual(wanted);
}

/** Frames of this kind that left the laptop on its first uplink. */
export async function inTheOpen(road: Road, probe: Probe, since: number): Promise<readonly string[]> {
  return (await road.home.frames(since)).filter((frame) => isOf(frame, probe)).map(sourceOf);
}

const { backup, home, laptop } = places;
const ofLaptop = (road: Road): Sender => ({
  machine: road.laptop,
  sources: [`${laptop.ipv4}/32`, home.prefix6, home.lan6],
});
const each = 3;
const seconds = 0.5;

async function waysOf(
  road: Road,
  probes: readonly Probe[],
  from: Sender,
  expected: Way,
): Promise<readonly (readonly [string, Way])[]> {
  const out: [string, Way][] = [];
  for (const uid of new Set(probes.map((probe) => probe.uid))) {
    const group = probes.filter((probe) => probe.uid === uid);
    const since = Date.now();
    const machine = uid === undefined ? from.machine : asUser(from.machine, uid);
    const report = await flood(machine, group.map(streamOf), seconds);
    for (const probe of group) {
      const one = report[printProbe(probe)];
      if (one === undefined || one.notOpened !== undefined) throw new Error(`${printProbe(probe)}: ${one?.notOpened}`);
      const seen = { probe, sent: one.sent, since, timeoutMs: expected === "lost" ? 500 : 3000 };
      out.push([printProbe(probe), await wayOf(road, from, seen)]);
    }
  }
  return out;
}

interface Sent {
  readonly probe: Probe;
  readonly sent: number;
  readonly since: number;
  readonly timeoutMs: number;
}

async function wayOf(road: Road, from: Sender, { probe, sent, since, timeoutMs }: Sent): Promise<Way> {
  const isLan = within([home.lan, home.lan6])(probe.to);
  const far = watch(road.lab, within([`${backup.ipv4}/32`, `${backup.ipv6}/128`])(probe.to) ? "backup" : "web", "isp");
  const end = isLan ? road.home : far;
  const arrived = async () => (await end.frames(since)).filter((frame) => isOf(frame, probe)).map(sourceOf);
  const enough = async () => ((await arrived()).length >= sent ? true : undefined);
  const all = sent === 0 || (await until("arrival", enough, timeoutMs).catch(() => false));
  const open = await inTheOpen(road, probe, since);
  const sources = [...new Set(await arrived())];
  const story = `${sent} sent, ${sources.join()} arrived, in the open ${open.join()}`;
  if (sources.length === 0 && open.length === 0) return sent === 0 ? "refused" : "lost";
  if (!all) return story;
  const node = [road.node.address4, road.node.address6];
  if (sources.every((s) => node.includes(s)) && open.length === 0) return "tunnel";
  if (!open.every(within(from.sources))) return story;
  if (isLan) return "lan";
  return sources.every(within([`${home.ipv4}/32`, home.prefix6])) ? "direct" : story;
}

function within(prefixes: readonly string[]): (address: string) => boolean {
  return (address) => prefixes.some((prefix) => covers(prefix as Prefix, address as Prefix));
}

function streamOf(probe: Probe): Stream {
  const { kind, to } = probe;
  const name = printProbe(probe);
  const often = { rate: each / (seconds / 2), count: each };
  if (kind === "echo") return { name, kind, to, ...often };
  return { name, kind, to, port: probe.port ?? 9, ...often, ...(kind === "udp" && { fresh: true }) };
}

function printProbe({ kind, to, port, uid }: Probe): string {
  return `${kind} to ${to}${kind === "echo" ? "" : ` ${port ?? 9}`}${uid === undefined ? "" : ` by ${uid}`}`;
}

const [tcp, udp, icmp4, icmp6] = [6, 17, 1, 58];
/** RFC 9293, 3.1: SYN without ACK. */
const opens = (body: Buffer): boolean => ((body[13] ?? 0) & 0x12) === 0x02;

function isOf({ net }: Frame, { kind, to, port }: Probe): boolean {
  if (net?.kind !== "ip" || net.destination !== to) return false;
  if (kind === "echo")
    return (net.protocol === icmp4 && net.icmp === 8) || (net.protocol === icmp6 && net.icmp === 128);
  return (
    net.dport === (port ?? 9) && net.protocol === (kind === "udp" ? udp : tcp) && (kind === "udp" || opens(net.body))
  );
}

function sourceOf({ net }: Frame): string {
  return net?.kind === "ip" ? net.source : "";
}
