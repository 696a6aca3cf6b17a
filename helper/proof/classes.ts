// A finite set of packets that stands for all. The walk asks; where all packets of a set answer alike, that is the answer;
// where not, the set is split, the walk goes on with one part and later begins again with the other. Fields nobody asks
// about are never split. In the end the parts are disjoint, cover every packet, and each was walked by code that could not
// tell its members apart. How sets are held is said by `by`: diagrams (explore.ts), or cubes (cubes.ts), the slow, obvious
// twin for tests.
import { lengthOf, type Family, type Prefix } from "../contract/prefix.ts";
import type { RuleFact } from "../plan/facts.ts";
import { single, type Bundle } from "./bundles.ts";
import { exploreCubes } from "./cubes.ts";
import { exploreDiagrams } from "./explore.ts";
import { ethertypes } from "./fields.ts";
import { mainTable, type Route } from "./machine.ts";
import { memory, type Memory } from "./memory.ts";
import { anyCt, type Carries, type Flag, type Origin, type Packet, type PrefixSet } from "./packet.ts";
import { isSix } from "./words.ts";
import { sameList, spaceBuilder, type Space, type SpaceBuilder } from "./prefixes.ts";

export type By = "diagrams" | "cubes";

/** The address spaces of both families, cut by everything that may be asked of an address. */
export interface Classes {
  readonly by: By;
  readonly spaces: Readonly<Record<Family, Space>>;
  readonly groups: Readonly<Record<Family, ReadonlyMap<string, number>>>;
  /** Of its tables: the same where they are. */
  readonly number: number;
  /** The groups of the tables of one machine. */
  readonly tables: Readonly<Record<Family, ReadonlyMap<number, number>>>;
  /** The classes in a set, found once for each question that is asked again and again. */
  readonly members: Readonly<Record<Family, Map<PrefixSet, bigint>>>;
  /** What a chain of a table's group names. */
  readonly routes: readonly Route[];
  /** What was found out about sets before: `shared` by all machines of these spaces, `own` to these tables. */
  readonly memory: { readonly shared: Memory; readonly own: Memory };
}

/** Sorted numbers from0, to0, from1, to1, … inclusive. */
export type Ranges = readonly number[];

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
  /** Choices met on the way, and which option was taken. */
  readonly choices: readonly { readonly what: string; readonly first: number }[];
  /** Only those of the cube that are in this diagram, too. */
  readonly within?: number;
  /** So few that walking them one by one costs less than a diagram. */
  readonly few?: true;
}

/** Marks with these bits known, and none of these patterns. */
export interface MarkSet {
  readonly mask: number;
  readonly value: number;
  readonly not: readonly { readonly mask: number; readonly value: number }[];
}

/** May stop the search by answering true; `again` lets the same packets begin a second walk, with the choices of the first. */
export type Visit = (packet: Packet, leaf: () => Cube, again: () => void) => boolean | undefined;

/** Calls `visit` once for every part, with a packet that stands for it; `leaf` gives the part. Gives how many were walked. */
export function explore(classes: Classes, start: readonly Cube[], visit: Visit): number {
  const small = classes.by === "cubes" || start.every((cube) => cube.few === true);
  return small ? exploreCubes(classes, start, visit) : exploreDiagrams(classes, start, visit);
}

/** The tables of a machine: who reads them may suppress by length. */
export interface Tables {
  readonly bundles: readonly Bundle[];
  readonly rules: readonly RuleFact[];
}

export function classify(
  sets: Iterable<PrefixSet>,
  routes: readonly Route[],
  rules: readonly RuleFact[],
  by: By = "diagrams",
): Classes {
  return classifyAll(sets, [{ bundles: routes.map(single), rules }], by)[0] as Classes;
}

/** One set of spaces for several machines; a table that two of them have alike is one group. */
export function classifyAll(sets: Iterable<PrefixSet>, machines: readonly Tables[], by: By = "diagrams"): Classes[] {
  const builders = { 4: spaceBuilder(4), 6: spaceBuilder(6) };
  const groups = memberGroups(builders, sets);
  const kinds: Route[] = [];
  const known = new Map<string, number>();
  const laid: Laid = { 4: new Map(), 6: new Map() };
  const tables = machines.map((machine) => tableGroups(builders, machine, kinds, known, laid));
  const spaces = { 4: builders[4].build(), 6: builders[6].build() };
  const members = { 4: new Map<PrefixSet, bigint>(), 6: new Map<PrefixSet, bigint>() };
  const shared = memory(spaces);
  // machines with the same tables remember together
  const owns = new Map<string, { readonly number: number; readonly own: Memory }>();
  return tables.map((t) => {
    const text = JSON.stringify([[...t[4]], [...t[6]]]);
    const mine = owns.get(text) ?? { number: owns.size + 1, own: memory(spaces, shared) };
    owns.set(text, mine);
    return {
      ...{ by, spaces, groups, members, tables: t, routes: kinds, number: mine.number },
      memory: { shared, own: mine.own },
    };
  });
}

type Builders = Readonly<Record<Family, SpaceBuilder>>;

function memberGroups(builders: Builders, sets: Iterable<PrefixSet>): Record<Family, Map<string, number>> {
  const groups = { 4: new Map<string, number>(), 6: new Map<string, number>() };
  const made: Known[] = [];
  const byList = new Map<readonly Prefix[], Known>();
  const asked = new Map<string, readonly Prefix[]>();
  for (const { key, prefixes } of sets) {
    const before = asked.get(key);
    if (before !== undefined) {
      if (!sameList(before, prefixes)) throw new Error(`two questions of one name: ${key}`);
      continue;
    }
    asked.set(key, prefixes);
    let known = byList.get(prefixes);
    if (known === undefined && prefixes.length > 1) known = made.find(({ list }) => sameList(list, prefixes));
    if (known === undefined) {
      known = { list: prefixes, 4: builders[4].group("member"), 6: builders[6].group("member") };
      made.push(known);
      for (const family of [4, 6] as const) builders[family].addAll(known[family], ofFamily(prefixes, family), 1);
    }
    byList.set(prefixes, known);
    groups[4].set(key, known[4]);
    groups[6].set(key, known[6]);
  }
  return groups;
}

interface Known extends Readonly<Record<Family, number>> {
  readonly list: readonly Prefix[];
}

function ofFamily(prefixes: readonly Prefix[], family: Family): readonly Prefix[] {
  const mine = (prefix: Prefix): boolean => isSix(prefix) === (family === 6);
  if (prefixes.length > 0 && !mine(prefixes[0] as Prefix)) return prefixes.filter(mine);
  return prefixes.every(mine) ? prefixes : prefixes.filter(mine);
}

/** A table's routes as they are asked for, and the group that answers for it. */
interface LaidTable {
  readonly parts: { readonly kind: number; readonly prefixes: readonly Prefix[] }[];
  group: number;
}
type Laid = Readonly<Record<Family, Map<number, LaidTable[]>>>;

function tableGroups(
  builders: Builders,
  { bundles, rules }: Tables,
  kinds: Route[],
  known: Map<string, number>,
  laid: Laid,
): Record<Family, Map<number, number>> {
  const byLength = lengthMatters(bundles, rules);
  const mine = { 4: new Map<number, LaidTable>(), 6: new Map<number, LaidTable>() };
  // the later added is asked first among equals: so the lowest metric goes last, and of equals the oldest
  for (const { route, prefixes } of byMetric(bundles)) {
    const { family, table } = route;
    let lines = mine[family].get(table);
    if (lines === undefined) mine[family].set(table, (lines = { parts: [], group: -1 }));
    const lengths = byLength.has(`${family} ${table}`) ? apartByLength(prefixes) : [["", prefixes] as const];
    for (const [length, some] of lengths) {
      const key = keyOf(route) + length;
      let kind = known.get(key);
      if (kind === undefined) known.set(key, (kind = kinds.push({ ...route, prefix: some[0] ?? route.prefix }) - 1));
      lines.parts.push({ kind, prefixes: some });
    }
  }
  const groups = { 4: new Map<number, number>(), 6: new Map<number, number>() };
  for (const family of [4, 6] as const)
    for (const [table, lines] of mine[family]) {
      const others = laid[family].get(table) ?? [];
      laid[family].set(table, others);
      const twin = others.find((other) => sameParts(other.parts, lines.parts));
      if (twin === undefined) {
        lines.group = builders[family].group("nested");
        for (const { kind, prefixes } of lines.parts) builders[family].addAll(lines.group, prefixes, kind);
        others.push(lines);
      }
      groups[family].set(table, (twin ?? lines).group);
    }
  return groups;
}

function apartByLength(prefixes: readonly Prefix[]): (readonly [string, readonly Prefix[]])[] {
  const [only] = prefixes;
  if (prefixes.length === 1 && only !== undefined) return [[`/${lengthOf(only)}`, prefixes]];
  const by = new Map<string, Prefix[]>();
  for (const prefix of prefixes) {
    const length = prefix.slice(prefix.indexOf("/"));
    const same = by.get(length);
    if (same === undefined) by.set(length, [prefix]);
    else same.push(prefix);
  }
  return [...by];
}

/** The highest metric first, of equals the youngest; sorted by the few metrics there are. */
function* byMetric(bundles: readonly Bundle[]): Generator<Bundle> {
  const buckets = new Map<number, Bundle[]>();
  for (const bundle of bundles) {
    const bucket = buckets.get(bundle.route.metric);
    if (bucket === undefined) buckets.set(bundle.route.metric, [bundle]);
    else bucket.push(bundle);
  }
  for (const metric of [...buckets.keys()].sort((a, b) => b - a)) {
    const bucket = buckets.get(metric) ?? [];
    for (let i = bucket.length - 1; i >= 0; i--) yield bucket[i] as Bundle;
  }
}

const sameParts = (a: LaidTable["parts"], b: LaidTable["parts"]): boolean =>
  a.length === b.length && a.every((x, i) => x.kind === b[i]?.kind && sameList(x.prefixes, b[i].prefixes));

/** Routes that differ in nothing but their prefix are one kind: a large set is a handful of classes. */
function keyOf(r: Route): string {
  const legs = r.legs.map((leg) => `${leg.dev} ${leg.via ?? ""}${leg.dead ? "x" : ""}`).join();
  return `${r.family} ${r.table} ${r.type} ${r.metric} ${r.tos} ${r.from ?? ""} ${r.src ?? ""} ${r.nexthop ?? ""} ${r.only ?? ""} ${r.planned ?? ""} ${legs}`;
}

/**
 * Where a suppressing rule reads the length, or two IPv6 routes may be equals, routes of unlike length are two kinds; in
 * main, too, where the length says who outranks whom.
 */
function lengthMatters(bundles: readonly Bundle[], rules: readonly RuleFact[]): Set<string> {
  const matters = new Set([`4 ${mainTable}`, `6 ${mainTable}`]);
  for (const { family, action, suppressPrefixLength } of rules)
    if (action.kind === "lookup" && suppressPrefixLength !== null) matters.add(`${family} ${action.table}`);
  const seen = new Map<string, string>();
  for (const { route } of bundles) {
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
