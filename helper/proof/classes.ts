// A finite set of packets that stands for all. A cube is a set of packets: for every field the values still possible.
// The walk asks; where all packets of the cube answer alike, that is the answer; where not, the cube is split, the walk
// goes on with one half and begins again with the other. Fields nobody asks about are never split. When the stack is
// empty the leaves are disjoint, cover every packet, and each was walked by code that could not tell its members apart.
import { lengthOf, type Family } from "../contract/prefix.ts";
import type { RuleFact } from "../plan/facts.ts";
import type { Route } from "./machine.ts";
import { anyCt, portsOf, type Carries, type Flag, type Origin, type Packet, type PrefixSet } from "./packet.ts";
import { spaceBuilder, type Space } from "./prefixes.ts";

/** The address spaces of both families, cut by everything that may be asked of an address. */
export interface Classes {
  readonly spaces: Readonly<Record<Family, Space>>;
  readonly groups: Readonly<Record<Family, ReadonlyMap<string, number>>>;
  /** The classes in a set, found once for each question that is asked again and again. */
  readonly members: Readonly<Record<Family, Map<PrefixSet, bigint>>>;
  /** What a chain of a table's group names. */
  readonly routes: readonly Route[];
}

/** Sorted numbers from0, to0, from1, to1, … inclusive. */
type Ranges = readonly number[];

export interface Cube {
  readonly family: Family;
  readonly carries: Carries;
  readonly origin: Origin;
  /** Bits of the classes of the family's space. */
  readonly source: bigint;
  readonly destination: bigint;
  readonly protocol: Ranges;
  readonly sport: Ranges;
  readonly dport: Ranges;
  readonly uid: Ranges;
  readonly icmpType: Ranges;
  readonly hops: Ranges;
  readonly ethertype: Ranges;
  readonly ct: number;
  readonly mark: MarkSet;
  readonly flags: readonly { readonly flag: Flag; readonly set: boolean }[];
  /** Of each choice met, the options not yet tried: the first of them is taken. */
  readonly choices: readonly { readonly what: string; readonly first: number; readonly open: boolean }[];
}

/** Marks with these bits known, and none of these patterns. */
interface MarkSet {
  readonly mask: number;
  readonly value: number;
  readonly not: readonly { readonly mask: number; readonly value: number }[];
}

/** Above this the answer would not come in time; not proven then, never "proven so far". */
const mostLeaves = 2_000_000;

export function classify(sets: Iterable<PrefixSet>, routes: readonly Route[], rules: readonly RuleFact[]): Classes {
  const builders = { 4: spaceBuilder(4), 6: spaceBuilder(6) };
  const groups = { 4: new Map<string, number>(), 6: new Map<string, number>() };
  for (const set of sets) {
    if (groups[4].has(set.key)) continue;
    for (const family of [4, 6] as const) groups[family].set(set.key, builders[family].group("member"));
    for (const prefix of set.prefixes) {
      const family = prefix.includes(":") ? 6 : 4;
      builders[family].add(groups[family].get(set.key) ?? 0, prefix, 1);
    }
  }
  const kinds: Route[] = [];
  const byLength = lengthMatters(routes, rules);
  const known = new Map<string, number>();
  // the later added is asked first among equals: so the lowest metric goes last, and of equals the oldest
  for (const route of [...routes].reverse().sort((a, b) => b.metric - a.metric)) {
    const { family, table } = route;
    const name = tableKey(table);
    let group = groups[family].get(name);
    if (group === undefined) groups[family].set(name, (group = builders[family].group("nested")));
    const key = keyOf(route) + (byLength.has(`${family} ${table}`) ? `/${lengthOf(route.prefix)}` : "");
    let kind = known.get(key);
    if (kind === undefined) known.set(key, (kind = kinds.push(route) - 1));
    builders[family].add(group, route.prefix, kind);
  }
  return {
    spaces: { 4: builders[4].build(), 6: builders[6].build() },
    groups,
    routes: kinds,
    members: { 4: new Map(), 6: new Map() },
  };
}

const tableKey = (table: number): string => `#${table}`;

/** Routes that differ in nothing but their prefix are one kind: a large set is a handful of classes. */
function keyOf(r: Route): string {
  const legs = r.legs.map((leg) => `${leg.dev} ${leg.via ?? ""}${leg.dead ? "x" : ""}`).join();
  return `${r.family} ${r.table} ${r.type} ${r.metric} ${r.tos} ${r.from ?? ""} ${r.src ?? ""} ${r.nexthop ?? ""} ${r.only ?? ""} ${r.planned ?? ""} ${legs}`;
}

/** Where a suppressing rule reads the length, or two IPv6 routes may be equals, routes of unlike length are two kinds. */
function lengthMatters(routes: readonly Route[], rules: readonly RuleFact[]): Set<string> {
  const matters = new Set<string>();
  for (const { family, action, suppressPrefixLength } of rules)
    if (action.kind === "lookup" && suppressPrefixLength !== null) matters.add(`${family} ${action.table}`);
  const seen = new Map<string, string>();
  for (const route of routes) {
    if (route.family === 4) continue;
    const slot = `6 ${route.table}`;
    if (matters.has(slot)) continue;
    const key = keyOf(route);
    const other = seen.get(`${slot} ${route.metric}`);
    if (other === undefined) seen.set(`${slot} ${route.metric}`, key);
    else if (other !== key) matters.add(slot);
  }
  return matters;
}

/** All packets of an origin. */
export function everything(classes: Classes, family: Family, origin: Origin, carries: Carries = "ip"): Cube {
  const { all } = classes.spaces[family];
  return {
    ...{ family, carries, origin, source: all, destination: all },
    protocol: [0, 255],
    sport: [0, 65535],
    dport: [0, 65535],
    uid: [0, 0xffff_fffe],
    icmpType: [0, 255],
    hops: [0, 255],
    ethertype: ethertypes(family, carries),
    ct: anyCt,
    mark: { mask: 0, value: 0, not: [] },
    flags: [],
    choices: [],
  };
}

function ethertypes(family: Family, carries: Carries): Ranges {
  if (carries === "ip") return family === 4 ? [0x0800, 0x0800] : [0x86dd, 0x86dd];
  if (carries === "arp") return [0x0806, 0x0806];
  return [0, 0x07ff, 0x0801, 0x0805, 0x0807, 0x86dc, 0x86de, 65535];
}

/**
 * Calls `visit` once for every leaf under `start`, with a packet that stands for it; `leaf` gives the cube as it is by then.
 * Gives the number of leaves. `visit` may stop the search by answering true; `again` lets the same packets begin a second
 * walk, with the choices of the first.
 */
export function explore(
  classes: Classes,
  start: readonly Cube[],
  visit: (packet: Packet, leaf: () => Cube, again: () => void) => boolean | undefined,
): number {
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
    const group = groups.get(tableKey(table));
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
    coveringSource: (table) => covering("source", table),
    choose(what, options) {
      const at = choiceAt++;
      const made = cube.choices[at];
      if (made === undefined && options.length > 1) {
        for (let i = options.length - 1; i > 0; i--)
          stack.push({ ...cube, choices: [...cube.choices, { what, first: i, open: false }] });
      }
      if (made === undefined) cube = { ...cube, choices: [...cube.choices, { what, first: 0, open: false }] };
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

/** A mark of the set; the plainest that is not excluded. undefined: the set is empty, which splitting does not notice. */
export function markIn(set: MarkSet): number | undefined {
  const free = ~set.mask >>> 0;
  const excluded = (mark: number): boolean => set.not.some((n) => ((mark ^ n.value) & n.mask) === 0);
  if (!excluded(set.value)) return set.value;
  for (let high = 1; high < 2 ** 16; high++) {
    // spread the counter over both ends of the word: marks are told apart by their low or by their high bits
    for (const bits of [high, (high << 16) >>> 0, (high << 24) >>> 0]) {
      const mark = (set.value | (bits & free)) >>> 0;
      if (!excluded(mark)) return mark;
    }
  }
  return undefined;
}
