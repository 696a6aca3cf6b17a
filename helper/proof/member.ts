// From a set of packets to one of them, and back: the packet that a counterexample shows, the plainest of its class.
import { parseAddress, type Address } from "../contract/prefix.ts";
import type { Classes, Cube } from "./classes.ts";
import { choiceAt, flagsThereAre, numberIn, span, variablesOf, type Field } from "./fields.ts";
import { choosing, diagramOf } from "./memory.ts";
import { ctStates, type PacketValue } from "./packet.ts";

/** undefined: the class is empty. */
export function memberOf(classes: Classes, cube: Cube): PacketValue | undefined {
  const { shared } = classes.memory;
  const { d } = shared;
  const questions = shared.questions[cube.family];
  let set = diagramOf(shared, cube);
  if (set === 0) return undefined;
  const narrow = (one: number): boolean => {
    const left = d.and(set, one);
    if (left !== 0) set = left;
    return left !== 0;
  };
  const one = (field: Field, wanted: readonly number[]): number => {
    const found = wanted.find((n) => narrow(questions.range(field, n, n)));
    if (found !== undefined) return found;
    const any = numberIn(d.member(set) ?? new Set(), span(field));
    narrow(questions.range(field, any, any));
    return any;
  };
  const space = classes.spaces[cube.family];
  const address = (field: "source" | "destination", nice: readonly string[]): Address => {
    const known = nice.map((text) => parseAddress(text)).filter((a) => a !== undefined);
    const cls = one(
      field,
      known.map((a) => space.locate(a)),
    );
    return known.find((a) => space.locate(a) === cls) ?? space.representative(cls);
  };
  const flags = flagsThereAre.filter((flag) => !narrow(questions.without(flag)));
  const protocol = one("protocol", [17, 6, cube.family === 4 ? 1 : 58]);
  const destination = address("destination", far[cube.family]);
  const source = address("source", near[cube.family]);
  const unset = cube.origin.kind === "socket" && cube.origin.source === "unset";
  const value = {
    ...{ family: cube.family, carries: cube.carries, origin: cube.origin, protocol, destination, flags },
    source: unset ? null : source,
    sport: one("sport", [40000, 1024]),
    dport: one("dport", [443, 53, 80]),
    mark: one("mark", [0, 1]),
    uid: one("uid", [1000, 0]),
    icmpType: one("icmpType", [cube.family === 4 ? 8 : 128]),
    hops: one("hops", [64, 255]),
    ethertype: one("ethertype", [cube.carries === "arp" ? 0x0806 : cube.family === 4 ? 0x0800 : 0x86dd]),
    ct: 1 << one("ct", [Math.log2(ctStates.new), Math.log2(ctStates.establishedOriginal)]),
  };
  const ones = d.member(set) ?? new Set<number>();
  const choices = cube.choices.map(({ what, first }) => [what, numberIn(ones, choiceAt(first))] as const);
  return { ...value, choices: Object.fromEntries(choices) };
}

/** Whether a packet is one of the cube's: whatever it chooses on its way, or where it takes the first option always. */
export function inCube(classes: Classes, cube: Cube, packet: PacketValue, chosen: "any" | "first" = "any"): boolean {
  const { shared } = classes.memory;
  const { locate } = classes.spaces[cube.family];
  if (packet.family !== cube.family) return false;
  const values = {
    ...packet,
    ct: Math.log2(packet.ct),
    source: packet.source === null ? 0 : locate(packet.source),
    destination: locate(packet.destination),
  };
  const set = diagramOf(shared, chosen === "any" ? choosing(shared, cube) : cube);
  return shared.d.holds(set, variablesOf(values, packet.flags));
}

/** Addresses a reader knows at a glance; else the lowest of the set. */
const far = { 4: ["203.0.113.200", "8.8.8.8", "9.9.9.9"], 6: ["2001:db8:f::200", "2620:fe::fe"] } as const;
const near = { 4: ["192.168.1.5", "10.0.0.9"], 6: ["fd00::9"] } as const;
