// Sweeps over large sets of prefixes. Everything that can be asked of an address (is it in this set, what does that table
// answer) is a group of prefixes. Each group is swept alone into intervals (intervals.ts); groups that change at the same
// addresses are one from then on, so a million prefixes that stand in the policy, in a table and in a set of the gate are
// swept together once; then all are merged, and the address space falls into intervals in which every group gives one
// answer. Intervals with the same answers are one class: a million prefixes of one set make two.
//
// ip-num, as the slow twin, checks parser and answers in the tests.
import { printAddress, type Address, type Family, type Prefix } from "../contract/prefix.ts";
import { alike, compareWords, intervalsOf, wordsOf, type Entries, type Intervals } from "./intervals.ts";
import { merge, type Merged } from "./merge.ts";
import { parsePrefixWords, valueOf } from "./words.ts";

/** member: 0 or 1, in none or in some prefix of the group. nested: the chain of values covering, see `chain`. */
export type GroupKind = "member" | "nested";

export interface SpaceBuilder {
  group(kind: GroupKind): number;
  add(group: number, prefix: Prefix, value: number): void;
  addAll(group: number, prefixes: readonly Prefix[], value: number): void;
  build(): Space;
}

export interface Space {
  readonly family: Family;
  readonly classes: number;
  readonly all: bigint;
  /** The lowest address of a class. */
  representative(cls: number): Address;
  /** The class that an address is in. */
  readonly locate: (address: Address) => number;
  /** What a group answers for a class. */
  answer(group: number, cls: number): number;
  /** Each answer a group gives, with the set of classes that get it, as bits. */
  answers(group: number): ReadonlyMap<number, bigint>;
  /** For a nested group: the values that cover, the most specific first, the later added first among equals. */
  readonly chain: (answer: number) => readonly number[];
}

export function spaceBuilder(family: Family): SpaceBuilder {
  const groups: { readonly kind: GroupKind; readonly entries: Growing }[] = [];
  const read: { readonly list: readonly Prefix[]; readonly entries: Entries }[] = [];
  return {
    group: (kind) => groups.push({ kind, entries: growing(family) }) - 1,
    add: (group, prefix, value) => groups[group]?.entries.add([prefix], value),
    addAll(group, prefixes, value) {
      if (prefixes.length < large) {
        groups[group]?.entries.add(prefixes, value);
        return;
      }
      // a large set stands in the policy, in the gate and in a table: it is read once
      let known = read.find(({ list }) => sameList(list, prefixes));
      if (known === undefined) {
        const entries = growing(family);
        entries.add(prefixes, 0);
        read.push((known = { list: prefixes, entries: entries.done() }));
      }
      groups[group]?.entries.adopt(known.entries, value);
    },
    build() {
      const chains = chainStore();
      const inner = { member: () => 1, nested: chains.longer };
      // each group's entries are done with once it is swept
      const all = groups.map(({ kind, entries }) => intervalsOf(family, entries.done(), inner[kind]));
      const { distinct, lead } = withoutTwins(all);
      return { ...spaceOf(family, all, lead, merge(family, distinct)), chain: chains.list };
    },
  };
}

/** Groups that change at the same addresses, answering differently where another does, stand for one another. */
function withoutTwins(all: readonly Intervals[]): { distinct: Intervals[]; lead: number[] } {
  const distinct: Intervals[] = [];
  const bySize = new Map<number, number[]>();
  const lead = all.map((one) => {
    const same = bySize.get(one.count) ?? [];
    bySize.set(one.count, same);
    const twin = same.find((place) => alike(distinct[place] as Intervals, one));
    if (twin !== undefined) return twin;
    same.push(distinct.length);
    return distinct.push(one) - 1;
  });
  return { distinct, lead };
}

/** Chains of covering values; 0 is the empty one. */
function chainStore() {
  const known = new Map<number, number>();
  const links: { readonly value: number; readonly under: number }[] = [{ value: -1, under: -1 }];
  return {
    longer: (under: number, value: number): number => {
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
  all: readonly Intervals[],
  lead: readonly number[],
  { starts, classAt, places }: Merged,
): Omit<Space, "chain"> {
  const width = wordsOf(family);
  const classes = places.length;
  const cache = new Map<number, Map<number, bigint>>();
  const answer = (group: number, cls: number): number =>
    all[group]?.answers[places[cls]?.intervals[lead[group] ?? 0] ?? 0] ?? 0;
  return {
    family,
    classes,
    all: (1n << BigInt(classes)) - 1n,
    representative(cls) {
      const from = (places[cls]?.first ?? 0) * width;
      return printAddress(family, valueOf(family, starts.subarray(from, from + width)));
    },
    locate(address) {
      const at = new Uint32Array(width);
      parsePrefixWords(address, at, 0);
      let [low, high] = [0, classAt.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (compareWords(width, starts, middle * width, at, 0) <= 0) low = middle;
        else high = middle - 1;
      }
      return classAt[low] ?? 0;
    },
    answer,
    answers(group) {
      const known = cache.get(group);
      if (known) return known;
      const answers = new Map<number, bigint>();
      for (let cls = 0; cls < classes; cls++) {
        const given = answer(group, cls);
        answers.set(given, (answers.get(given) ?? 0n) | (1n << BigInt(cls)));
      }
      cache.set(group, answers);
      return answers;
    },
  };
}

/** The same prefixes in the same order; strings of one policy are the same strings, which costs little. */
export function sameList(a: readonly Prefix[], b: readonly Prefix[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const large = 256;

interface Growing {
  add(prefixes: readonly Prefix[], value: number): void;
  /** What was read before; it may be others', too. */
  adopt(read: Entries, value: number): void;
  /** What was added; nothing can be added afterwards. */
  done(): Entries;
}

function growing(family: Family): Growing {
  const width = wordsOf(family);
  let room = 16;
  let words: Uint32Array = new Uint32Array(room * width);
  let lengths: Uint8Array = new Uint8Array(room);
  let values = new Int32Array(room);
  let count = 0;
  const makeRoom = (wanted: number): void => {
    if (wanted <= room) return;
    room = Math.max(wanted, 2 * room);
    const [oldWords, oldLengths, oldValues] = [words, lengths, values];
    (words = new Uint32Array(room * width)).set(oldWords);
    (lengths = new Uint8Array(room)).set(oldLengths);
    (values = new Int32Array(room)).set(oldValues);
  };
  return {
    add(prefixes, value) {
      makeRoom(count + prefixes.length);
      for (const prefix of prefixes) {
        lengths[count] = parsePrefixWords(prefix, words, count * width);
        values[count] = value;
        count += 1;
      }
    },
    adopt(read, value) {
      if (count === 0) {
        // full: who adds more makes a copy first
        ({ words, lengths, count } = read);
        room = count;
        values = new Int32Array(count).fill(value);
        return;
      }
      makeRoom(count + read.count);
      words.set(read.words.subarray(0, read.count * width), count * width);
      lengths.set(read.lengths.subarray(0, read.count), count);
      values.fill(value, count, count + read.count);
      count += read.count;
    },
    done() {
      const entries = { words, lengths, values, count };
      words = new Uint32Array(0);
      lengths = new Uint8Array(0);
      values = new Int32Array(0);
      return entries;
    },
  };
}
