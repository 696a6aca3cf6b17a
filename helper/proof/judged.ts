// Every class of some packets walked and judged, for the properties that say what arrives (arrivals.ts, entries.ts); and what
// several of them ask of a packet before they judge it.
import { familyOf, type Family } from "../contract/prefix.ts";
import { markMask } from "../plan/numbers.ts";
import { explore, type Cube } from "./classes.ts";
import { isToMany } from "./fib.ts";
import { uplinksOf } from "./faults.ts";
import type { Finding, Looked, Property } from "./leaks.ts";
import { localTable, type Machine } from "./machine.ts";
import { ctStates, type Origin, type Packet } from "./packet.ts";
import { starts, type State } from "./state.ts";
import type { End, Routing } from "./walk.ts";

/** null: as it should be; else what was wanted. */
export type Judge = (packet: Packet, machine: Machine) => Readonly<Record<string, string>> | null | undefined;

const enough = 16;

export const nothing: Looked = { findings: [], classes: 0 };

export function judged(
  state: State,
  property: Property,
  from: readonly Cube[],
  judge: Judge,
  routing: Routing = { kind: "model" },
  machine: Machine = state.machine,
): Looked {
  const findings: Finding[] = [];
  const classes = explore(state.classes, from, (packet, leaf) => {
    const data = judge(packet, machine);
    if (data)
      findings.push({
        property,
        fault: "none",
        machine,
        routing,
        cube: leaf(),
        data,
      });
    return findings.length >= enough;
  });
  return { findings, classes };
}

export const joined = (...all: readonly Looked[]): Looked => ({
  findings: all.flatMap((l) => l.findings),
  classes: all.reduce((sum, l) => sum + l.classes, 0),
});

export const unmarked = { mask: 0xffff_ffff, value: 0, not: [] } as const;
/** Our bits as said, the others free: they are other programs' (they are masked off in every rule of ours). */
export const marked = (cube: Cube, mark: number): Cube => ({ ...cube, mark: { mask: markMask, value: mark, not: [] } });

export const hasSource = (packet: Packet): boolean => packet.origin.kind === "socket" && packet.origin.source === "set";
export const unset = (cube: Cube): boolean => cube.origin.kind === "socket" && cube.origin.source === "unset";
export const fresh = (packet: Packet): boolean => packet.ct(ctStates.new | ctStates.establishedOriginal);
export const sourceRouted = (packet: Packet): boolean =>
  packet.family === 4 ? packet.flag("lsrr") || packet.flag("ssrr") : packet.flag("routing-header");

/** For an address of this machine. */
export const isOwn = (packet: Packet): boolean => packet.covering(localTable)[0]?.type === "local";

/** Not multicast, broadcast or the like. */
export function farOff(packet: Packet, side: "source" | "destination" = "destination"): boolean {
  return (side === "source" || packet.covering(localTable).length === 0) && !isToMany(packet, side);
}

/** What programs send: whole, to somebody far, on a connection of their own, and not the link's own protocols. */
export function ordinary(packet: Packet): boolean {
  if (!farOff(packet) || !fresh(packet) || sourceRouted(packet) || packet.flag("later-fragment")) return false;
  if (packet.family === 4 ? packet.protocol(2, 2) : packet.protocol(58, 58) && packet.icmpType(130, 255)) return false;
  if (!packet.protocol(17, 17)) return true;
  return packet.family === 4 ? !packet.sport(68, 68) : !packet.sport(546, 546);
}

/** A name that ends in `*` is a prefix to nft: no line can be for it alone, so nothing passes by it. */
export const sayable = (device: string): boolean => !device.endsWith("*");

/** Uplinks without an address of their own borrow one from another link: what then arrives where is not promised. */
export function numbered({ facts }: State, family: Family): boolean {
  return uplinksOf(facts).every(
    (name) =>
      sayable(name) &&
      facts.addresses.some((a) => a.link === name && a.scope === "global" && familyOf(a.address) === family),
  );
}

export function coming(state: State): Cube[] {
  const origins: Origin[] = state.devices
    .filter((device) => state.machine.links.has(device))
    .map((device) => ({ kind: "arriving", device }));
  return starts(state, origins);
}

export function say(end: End): string {
  if (end.kind !== "left") return end.kind;
  return end.gateway ? `${end.device} via ${end.gateway}` : end.device;
}
