// Sets of packets as cubes: for every field the values still possible. The walk asks; where all packets of the cube answer
// alike, that is the answer; where not, the cube is split, the walk goes on with one half and begins again with the other.
// Slow and obvious: what explore.ts finds with diagrams is held against this in the tests.
import type { Classes, Cube, MarkSet, Ranges, Visit } from "./classes.ts";
import type { Route } from "./machine.ts";
import { first, portsOf, type Packet, type PrefixSet } from "./packet.ts";

/** Above this the answer would not come in time; not proven then, never "proven so far". */
const mostLeaves = 2_000_000;

export function exploreCubes(classes: Classes, start: readonly Cube[], visit: Visit): number {
  const stack = [...start];
  let leaves = 0;
  for (let cube = stack.pop(); cube !== undefined; cube = stack.pop()) {
    const asked = asking(classes, cube, stack);
    if (visit(asked.packet, asked.leaf, asked.again) === true) return leaves + 1;
    if (++leaves > mostLeaves) throw new Error("too many classes to prove");
  }
  return leaves;
}

function asking(classes: Classes, start: Cube, stack: Cube[]): { packet: Packet; leaf: () => Cube; again: () => void } {
  let cube = start;
  const { family } = cube;
  const space = classes.spaces[family];
  const groups = classes.groups[family];
  const tables = classes.tables[family];
  let chosenSource: number | null = null;
  let markMask = 0;
  let markValue = 0;
  let choiceAt = 0;

  const range = (field: RangeField, from: number, to: number): boolean => {
    const inside = intersect(cube[field], from, to);
    if (inside.length === 0) return false;
    const outside = subtract(cube[field], from, to);
    if (outside.length === 0) return true;
    stack.push({ ...cube, [field]: outside });
    cube = { ...cube, [field]: inside };
    return true;
  };
  const bits = (field: "source" | "destination", wanted: bigint): boolean => {
    if (field === "source" && chosenSource !== null) return ((wanted >> BigInt(chosenSource)) & 1n) === 1n;
    const inside = cube[field] & wanted;
    if (inside === 0n) return false;
    if (inside === cube[field]) return true;
    stack.push({ ...cube, [field]: cube[field] & ~wanted });
    cube = { ...cube, [field]: inside };
    return true;
  };
  const known = classes.members[family];
  const member = (field: "source" | "destination", set: PrefixSet): boolean => {
    const wanted = known.get(set);
    if (wanted !== undefined) return bits(field, wanted);
    const group = groups.get(set.key);
    // a question nobody prepared would be answered by chance
    if (group === undefined) throw new Error(`not among the classes: ${set.key}`);
    const found = space.answers(group).get(1) ?? 0n;
    known.set(set, found);
    return bits(field, found);
  };
  const covering = (field: "source" | "destination", table: number): readonly Route[] => {
    const group = tables.get(table);
    if (group === undefined) return [];
    for (const [answer, wanted] of space.answers(group))
      if (bits(field, wanted)) return space.chain(answer).map((kind) => classes.routes[kind] as Route);
    return [];
  };
  const withPorts = (): boolean => portsOf.some((protocol) => range("protocol", protocol, protocol));

  const packet: Packet = {
    family,
    carries: cube.carries,
    origin: cube.origin,
    destinationAddress: null,
    mark(mask, value) {
      if (((markValue ^ value) & mask & markMask) !== 0) return false;
      const split = splitMark(cube.mark, (mask & ~markMask) >>> 0, (value & mask & ~markMask) >>> 0);
      if (split === true || split === false) return split;
      stack.push({ ...cube, mark: split.no });
      cube = { ...cube, mark: split.yes };
      return true;
    },
    source: (set) => member("source", set),
    destination: (set) => member("destination", set),
    protocol: (from, to) => range("protocol", from, to),
    sport: (from, to) => withPorts() && range("sport", from, to),
    dport: (from, to) => withPorts() && range("dport", from, to),
    uid: (from, to) => range("uid", from, to),
    icmpType: (from, to) => range("icmpType", from, to),
    hops: (value) => range("hops", value, value),
    ethertype: (type) => range("ethertype", type, type),
    ct(states) {
      if ((cube.ct & states) === 0) return false;
      if ((cube.ct & ~states) !== 0) stack.push({ ...cube, ct: cube.ct & ~states });
      cube = { ...cube, ct: cube.ct & states };
      return true;
    },
    flag(flag) {
      const known = cube.flags.find((f) => f.flag === flag);
      if (known) return known.set;
      // without first: the plainest packet is walked first
      stack.push({ ...cube, flags: [...cube.flags, { flag, set: true }] });
      cube = { ...cube, flags: [...cube.flags, { flag, set: false }] };
      return false;
    },
    covering: (table) => covering("destination", table),
    tables: 0,
    laid: () => [],
    coveringSource: (table) => covering("source", table),
    summed: (_part, of) => of(packet),
    firstOf: (parts, of) => first(parts, (part) => of(part, packet)),
    choose(what, options) {
      const at = choiceAt++;
      const made = cube.choices[at];
      if (made === undefined && options.length > 1) {
        for (let i = options.length - 1; i > 0; i--)
          stack.push({ ...cube, choices: [...cube.choices, { what, first: i }] });
      }
      if (made === undefined) cube = { ...cube, choices: [...cube.choices, { what, first: 0 }] };
      return options[cube.choices[at]?.first ?? 0] ?? options[0];
    },
    setMark(mask, value) {
      markMask = (markMask | mask) >>> 0;
      markValue = ((markValue & ~mask) | (value & mask)) >>> 0;
    },
    setSource(address) {
      chosenSource = space.locate(address);
    },
  };
  const again = (): void => {
    chosenSource = null;
    markMask = 0;
    markValue = 0;
    choiceAt = 0;
  };
  return { packet, leaf: () => cube, again };
}

type RangeField = "protocol" | "sport" | "dport" | "uid" | "icmpType" | "hops" | "ethertype";

function intersect(ranges: Ranges, from: number, to: number): Ranges {
  if (ranges.length === 2 && (ranges[0] ?? 0) >= from && (ranges[1] ?? 0) <= to) return ranges;
  const out: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const low = Math.max(ranges[i] ?? 0, from);
    const high = Math.min(ranges[i + 1] ?? 0, to);
    if (low <= high) out.push(low, high);
  }
  return out;
}

function subtract(ranges: Ranges, from: number, to: number): Ranges {
  const out: number[] = [];
  for (let i = 0; i < ranges.length; i += 2) {
    const [low, high] = [ranges[i] ?? 0, ranges[i + 1] ?? 0];
    if (low < from) out.push(low, Math.min(high, from - 1));
    if (high > to) out.push(Math.max(low, to + 1), high);
  }
  return out;
}

/** true or false where all marks agree, else the two halves. */
function splitMark(set: MarkSet, mask: number, value: number): boolean | { yes: MarkSet; no: MarkSet } {
  if (((set.value ^ value) & set.mask & mask) !== 0) return false;
  if ((mask & ~set.mask) === 0) return true;
  const yesMask = (set.mask | mask) >>> 0;
  const yesValue = (set.value | value) >>> 0;
  if (set.not.some((n) => (n.mask & ~yesMask) === 0 && ((n.value ^ yesValue) & n.mask) === 0)) return false;
  return { yes: { ...set, mask: yesMask, value: yesValue }, no: { ...set, not: [...set.not, { mask, value }] } };
}
