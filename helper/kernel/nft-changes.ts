// What must change so that the tables read become the tables wanted: one transaction, in place. Pure.
// Chains and sets that are as wanted are not touched; others are refilled (flush and add, kernel/README A, 11.9, 11.12).
// Only what the kernel cannot change in place is made anew: a chain's hook, a table's owner flag (5.10, 5.14), and there
// the explicit drop at each chain's end keeps the instant closed.
import { type Prefix, rangeOf } from "../contract/prefix.ts";
import type { NftChain, NftMatch, NftRule, NftSet, NftTable } from "../plan/nft.ts";
import type { ListedTable, NftChange, NftStep, ReadChain, ReadRule, ReadTable } from "./native.ts";

/** A table as read, with what the list says of it. */
export interface HaveTable extends ReadTable {
  readonly listed: ListedTable;
}

/** NFT_TABLE_F_PERSIST: the flag that is there with an owner and without. */
const persist = 4;

/** `port` is that of our own socket: a table of ours that another socket or nobody owns is asked for again. */
export function nftChanges(wanted: readonly NftTable[], have: readonly HaveTable[], port: number): NftChange[] {
  const gone = have.filter((h) => !wanted.some((w) => sameName(w, h)));
  return [
    ...wanted.flatMap((table) => {
      const there = have.find((h) => sameName(table, h));
      return tableChanges(table, there, port).map((step) => ({ family: table.family, table: table.name, ...step }));
    }),
    ...gone.map((t): NftChange => ({ family: t.family, table: t.name, kind: "table.del" })),
  ];
}

/**
 * Of these changes what fills sets that are not there: no chain can ask them yet, so no packet meets them before the rest is
 * done. `from`: how many prefixes are worth it.
 */
export function setsAhead(changes: readonly NftChange[], from: number): NftChange[] {
  const anew = (c: NftChange): boolean =>
    changes.some((other) => other.kind === "table.del" && other.family === c.family && other.table === c.table);
  const added = new Set(changes.flatMap((c) => (c.kind === "set.add" ? [`${c.family} ${c.table} ${c.set}`] : [])));
  const isNew = (c: Extract<NftChange, { kind: "set.fill" }>): boolean => added.has(`${c.family} ${c.table} ${c.set}`);
  const worth = changes.filter((c) => c.kind === "set.fill" && c.elements.length >= from && isNew(c) && !anew(c));
  const isPart = (c: NftChange): boolean =>
    worth.some((fill) => {
      if (fill.family !== c.family || fill.table !== c.table || fill.kind !== "set.fill") return false;
      return c === fill || c.kind === "table.set" || (c.kind === "set.add" && c.set === fill.set);
    });
  return changes.filter(isPart);
}

function tableChanges(want: NftTable, there: HaveTable | undefined, port: number): readonly NftStep[] {
  const persists = there !== undefined && (there.listed.flags & persist) !== 0;
  const anew = there !== undefined && persists !== want.owned;
  const have = anew ? undefined : there;
  const asks = have === undefined || (want.owned && have.listed.owner !== port);
  const sets = setChanges(want.sets, have?.sets ?? []);
  const chains = chainChanges(want.chains, have?.chains ?? []);
  return [
    ...(anew ? [{ kind: "table.del" } as const] : []),
    ...(asks ? [{ kind: "table.set", owned: want.owned } as const] : []),
    ...sets.add,
    ...chains.add,
    ...chains.fill,
    ...chains.del,
    ...sets.del,
  ];
}

function setChanges(want: readonly NftSet[], have: readonly NftSet[]) {
  const add = want.flatMap((set): NftStep[] => {
    const there = have.find((h) => h.name === set.name);
    if (there !== undefined && there.type === set.type && sameElements(set.elements, there.elements)) return [];
    const { name, type, elements } = set;
    const made: NftStep[] = there?.type === type ? [] : [{ kind: "set.add", set: name, type }];
    return [...made, { kind: "set.fill", set: name, type, elements }];
  });
  const gone = have.filter((h) => !want.some((w) => w.name === h.name));
  return { add, del: gone.map((set): NftStep => ({ kind: "set.del", set: set.name })) };
}

function chainChanges(want: readonly NftChain[], have: readonly ReadChain[]) {
  const add: NftStep[] = [];
  const fill: NftStep[] = [];
  for (const chain of want) {
    const there = have.find((h) => h.name === chain.name);
    const steps = baseChanges(chain, there);
    add.push(...steps);
    const kept = there !== undefined && !steps.some((s) => s.kind === "chain.del");
    if (!kept || !sameRules(chain.rules, there.rules))
      fill.push({ kind: "chain.fill", chain: chain.name, rules: chain.rules });
  }
  const gone = have.filter((h) => !want.some((w) => w.name === h.name));
  // a chain is in use as long as a rule jumps to it: all are emptied before any goes
  const del: NftStep[] = [
    ...gone.map((c): NftStep => ({ kind: "chain.fill", chain: c.name, rules: [] })),
    ...gone.map((c): NftStep => ({ kind: "chain.del", chain: c.name })),
  ];
  return { add, fill, del };
}

function baseChanges(want: NftChain, have: ReadChain | undefined): readonly NftStep[] {
  const set: NftStep = { kind: "chain.set", chain: want.name, base: want.base };
  if (have === undefined) return [set];
  const [a, b] = [want.base, have.base];
  if (a === null || b === null) return a === b ? [] : anew(want);
  if (a.type !== b.type || a.hook !== b.hook || a.priority !== b.priority) return anew(want);
  const [wanted, there] = [a.devices, b.devices];
  const policy: readonly NftStep[] = a.policy === b.policy ? [] : [set];
  if (wanted === undefined || there === undefined) return wanted === there ? policy : anew(want);
  if (wanted.kind === "all" || there.kind === "all") return wanted.kind === there.kind ? policy : anew(want);
  const more = wanted.names.filter((n) => !there.names.includes(n));
  const less = there.names.filter((n) => !wanted.names.includes(n));
  const named = (names: readonly string[]) => ({ ...a, devices: { kind: "names", names } as const });
  return [
    ...(more.length > 0
      ? [{ kind: "chain.set", chain: want.name, base: named(more) } as const]
      : // the policy alone: naming a device again would be refused
        policy.map((): NftStep => ({ kind: "chain.set", chain: want.name, base: named([]) }))),
    ...(less.length > 0 ? [{ kind: "chain.devices.del", chain: want.name, base: named(less) } as const] : []),
  ];
}

function anew(want: NftChain): readonly NftStep[] {
  return [
    { kind: "chain.fill", chain: want.name, rules: [] },
    { kind: "chain.del", chain: want.name },
    { kind: "chain.set", chain: want.name, base: want.base },
  ];
}

export function sameRules(want: readonly NftRule[], have: readonly ReadRule[]): boolean {
  return want.length === have.length && want.every((rule, i) => sameRule(rule, have[i]));
}

function sameRule(want: NftRule, have: ReadRule | undefined): boolean {
  if (have === undefined || "foreign" in have) return false;
  return ruleKey(want) === ruleKey(have);
}

function ruleKey(rule: NftRule): string {
  return JSON.stringify([rule.note, rule.matches.map(matchKey), rule.counter, entries(rule.verdict)]);
}

/** Lists that are sets of values, sorted; `not: false` is the same as no word of it. */
function matchKey(match: NftMatch): unknown {
  const { not, ...rest } = { not: false, ...match };
  const plain =
    rest.kind === "ct-state"
      ? { ...rest, states: [...rest.states].sort() }
      : rest.kind === "icmp-type"
        ? { ...rest, types: [...new Set(rest.types)].sort((a, b) => a - b) }
        : rest;
  return [not, ...entries(plain)];
}

function entries(value: object): readonly unknown[] {
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

function sameElements(want: readonly Prefix[], have: readonly Prefix[]): boolean {
  if (want.length === have.length && want.every((prefix, i) => prefix === have[i])) return true;
  // the same addresses in other words: what was read is always the fewest prefixes
  return JSON.stringify(spans(want)) === JSON.stringify(spans(have));
}

function spans(prefixes: readonly Prefix[]): readonly (readonly [string, string])[] {
  const ranges = prefixes.map(rangeOf).sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const out: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of ranges) {
    const before = out.at(-1);
    if (before !== undefined && first <= before.last + 1n) before.last = last > before.last ? last : before.last;
    else out.push({ first, last });
  }
  return out.map(({ first, last }) => [String(first), String(last)]);
}

function sameName(a: { family: string; name: string }, b: { family: string; name: string }): boolean {
  return a.family === b.family && a.name === b.name;
}
