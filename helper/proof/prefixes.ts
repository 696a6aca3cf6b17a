// Sweeps over large sets of prefixes. Everything that can be asked of an address (is it in this set, what does that table
// answer) is a group of prefixes; the sweep goes once over all of them, sorted, and cuts the address space into intervals
// in which every group gives one answer. Intervals with the same answers are one class: a million prefixes of one set
// make two. Prefixes are nested or apart, never crossing, so one stack over all groups is enough.
//
// Addresses are four 32-bit words in typed arrays (IPv4: the first word only). ip-num, as the slow twin, checks parser and
// answers in the tests.
import { printAddress, type Address, type Family, type Prefix } from "../contract/prefix.ts";
import { compare, lastOf, next, parsePrefixWords, valueOf, type Words } from "./words.ts";

/** member: 0 or 1, in none or in some prefix of the group. nested: the chain of values covering, see `chain`. */
export type GroupKind = "member" | "nested";

export interface SpaceBuilder {
  group(kind: GroupKind): number;
  add(group: number, prefix: Prefix, value: number): void;
  build(): Space;
}

export interface Space {
  readonly family: Family;
  readonly classes: number;
  readonly all: bigint;
  /** The lowest address of a class. */
  representative(cls: number): Address;
  /** The class that an address is in. */
  locate(address: Address): number;
  /** Each answer a group gives, with the set of classes that get it, as bits. */
  answers(group: number): ReadonlyMap<number, bigint>;
  /** For a nested group: the values that cover, the most specific first, the later added first among equals. */
  readonly chain: (answer: number) => readonly number[];
}

export function spaceBuilder(family: Family): SpaceBuilder {
  const kinds: GroupKind[] = [];
  const entries: Entries = { words: [], length: [], group: [], value: [] };
  return {
    group: (kind) => kinds.push(kind) - 1,
    add(group, prefix, value) {
      entries.length.push(parsePrefixWords(prefix, entries.words));
      entries.group.push(group);
      entries.value.push(value);
    },
    build: () => sweep(family, kinds, entries),
  };
}

interface Entries {
  /** four words an entry */
  readonly words: number[];
  readonly length: number[];
  readonly group: number[];
  readonly value: number[];
}

function sweep(family: Family, kinds: readonly GroupKind[], entries: Entries): Space {
  const order = sorted(entries);
  const labels = labelTree(kinds.length, entries.group);
  const chains = chainStore();
  const starts: number[] = [];
  const classAt: number[] = [];
  const found = new Map<number, number>();
  const answersOf: Int32Array[] = [];
  const firstAt: number[] = [];
  const stack: { readonly end: readonly number[]; readonly group: number; readonly before: number }[] = [];
  const top = family === 4 ? [0xffff_ffff, 0, 0, 0] : [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0xffff_ffff];
  let cursor = [0, 0, 0, 0] as Words | null;

  const emit = (): void => {
    if (cursor === null) return;
    const root = labels.root();
    let cls = found.get(root);
    if (cls === undefined) {
      cls = found.size;
      found.set(root, cls);
      answersOf.push(labels.snapshot());
      firstAt.push(...cursor);
    }
    starts.push(...cursor);
    classAt.push(cls);
  };
  const pop = (): void => {
    const done = stack.pop();
    if (done === undefined) return;
    if (cursor !== null && compare(cursor, done.end) <= 0) {
      emit();
      cursor = compare(done.end, top) === 0 ? null : next(family, done.end);
    }
    labels.set(done.group, done.before);
  };

  for (const at of order) {
    const start = entries.words.slice(4 * at, 4 * at + 4);
    while (stack.length > 0 && compare(stack.at(-1)?.end ?? top, start) < 0) pop();
    if (cursor !== null && compare(cursor, start) < 0) {
      emit();
      cursor = start;
    }
    const group = entries.group[at] ?? 0;
    const before = labels.get(group);
    stack.push({ end: lastOf(family, start, entries.length[at] ?? 0), group, before });
    labels.set(group, kinds[group] === "nested" ? chains.longer(before, entries.value[at] ?? 0) : 1);
  }
  while (stack.length > 0) pop();
  emit();
  return { ...spaceOf(family, found.size, answersOf, firstAt, starts, classAt), chain: chains.list };
}

/** Entries by start, then the shorter prefix, then as added: a sort of numbers first, ties by words. */
function sorted({ words, length }: Entries): Int32Array {
  const n = length.length;
  // 32 bits of address and 21 of place fit the 53 of a double; above two million entries the place would not
  if (n > 2 ** 21) throw new Error("more than two million prefixes in one sweep");
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i++) keys[i] = (words[4 * i] ?? 0) * 2 ** 21 + i;
  keys.sort();
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = (keys[i] ?? 0) % 2 ** 21;
  const later = (a: number, b: number): number => {
    for (let w = 1; w < 4; w++) {
      const d = (words[4 * a + w] ?? 0) - (words[4 * b + w] ?? 0);
      if (d !== 0) return d;
    }
    return (length[a] ?? 0) - (length[b] ?? 0) || a - b;
  };
  for (let from = 0; from < n;) {
    let to = from + 1;
    while (to < n && words[4 * (order[to] ?? 0)] === words[4 * (order[from] ?? 0)]) to++;
    if (to - from > 1) order.subarray(from, to).sort(later);
    from = to;
  }
  return order;
}

/**
 * The answers of all groups as one number, exactly: a tree whose leaves are the groups' answers and whose inner nodes give
 * each pair of children a number of its own. A change costs the depth of its leaf, so groups with many prefixes sit high.
 */
function labelTree(groups: number, entryGroups: readonly number[]) {
  const weight = new Float64Array(Math.max(groups, 1)).fill(1);
  for (const group of entryGroups) weight[group] = (weight[group] ?? 0) + 1;
  const parent: number[] = [];
  const left: number[] = [];
  const right: number[] = [];
  const known: Map<number, number>[] = [];
  let heap = Array.from(weight, (w, node) => ({ w, node }));
  for (let node = heap.length; heap.length > 1; node++) {
    heap = heap.sort((a, b) => b.w - a.w);
    const [a, b] = [heap.pop(), heap.pop()] as [{ w: number; node: number }, { w: number; node: number }];
    parent[a.node] = node;
    parent[b.node] = node;
    left[node] = a.node;
    right[node] = b.node;
    known[node] = new Map();
    heap.push({ w: a.w + b.w, node });
  }
  const root = heap[0]?.node ?? 0;
  const value = new Int32Array(root + 1);
  const refresh = (node: number): void => {
    const pair = (value[left[node] ?? 0] ?? 0) * 2 ** 26 + (value[right[node] ?? 0] ?? 0);
    const map = known[node] ?? new Map<number, number>();
    let id = map.get(pair);
    if (id === undefined) {
      id = map.size;
      map.set(pair, id);
    }
    value[node] = id;
  };
  for (let node = weight.length; node <= root; node++) refresh(node);
  return {
    root: () => value[root] ?? 0,
    get: (group: number) => value[group] ?? 0,
    set(group: number, answer: number): void {
      if (value[group] === answer) return;
      value[group] = answer;
      for (let node = parent[group]; node !== undefined; node = parent[node]) refresh(node);
    },
    snapshot: () => value.slice(0, groups),
  };
}

/** Chains of covering values; 0 is the empty one. */
function chainStore() {
  const known = new Map<number, number>();
  const links: { readonly value: number; readonly under: number }[] = [{ value: -1, under: -1 }];
  return {
    longer(under: number, value: number): number {
      const key = under * 2 ** 26 + value;
      const id = known.get(key);
      if (id !== undefined) return id;
      known.set(key, links.length);
      return links.push({ value, under }) - 1;
    },
    list: (answer: number): readonly number[] => {
      const values: number[] = [];
      for (let at = answer; at > 0; at = links[at]?.under ?? 0) values.push(links[at]?.value ?? 0);
      return values;
    },
  };
}

function spaceOf(
  family: Family,
  classes: number,
  answersOf: readonly Int32Array[],
  firstAt: readonly number[],
  starts: readonly number[],
  classAt: readonly number[],
): Omit<Space, "chain"> {
  const cache = new Map<number, Map<number, bigint>>();
  return {
    family,
    classes,
    all: (1n << BigInt(classes)) - 1n,
    representative: (cls) => printAddress(family, valueOf(family, firstAt.slice(4 * cls, 4 * cls + 4))),
    locate(address) {
      const at: number[] = [];
      parsePrefixWords(address, at);
      let [low, high] = [0, classAt.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (compare(starts.slice(4 * middle, 4 * middle + 4), at) <= 0) low = middle;
        else high = middle - 1;
      }
      return classAt[low] ?? 0;
    },
    answers(group) {
      const known = cache.get(group);
      if (known) return known;
      const answers = new Map<number, bigint>();
      for (let cls = 0; cls < classes; cls++) {
        const answer = answersOf[cls]?.[group] ?? 0;
        answers.set(answer, (answers.get(answer) ?? 0n) | (1n << BigInt(cls)));
      }
      cache.set(group, answers);
      return answers;
    },
  };
}
