// Sets of prefixes of any size, made canonical: sorted, nothing covered by another, neighbours joined. A set may hold a
// million, so addresses are four 32-bit words in one typed array each and never a bigint (ip-num is the slow twin in the
// test); the text of what was not joined is kept as it came.
import type { Family, Prefix } from "../contract/prefix.ts";
import { familyOf, lengthOf } from "../contract/prefix.ts";

export interface PrefixSet {
  readonly 4: readonly Prefix[];
  readonly 6: readonly Prefix[];
}

export const emptySet: PrefixSet = { 4: [], 6: [] };

/** Any list of prefixes, both families mixed. */
export function prefixSet(prefixes: readonly Prefix[]): PrefixSet {
  const known = madeOf.get(prefixes);
  if (known !== undefined) return known;
  const made = setOf(prefixes);
  madeOf.set(prefixes, made);
  return made;
}

/** A policy is compiled for every state: its lists are the same lists. */
const madeOf = new WeakMap<readonly Prefix[], PrefixSet>();

function setOf(prefixes: readonly Prefix[]): PrefixSet {
  const four: Prefix[] = [];
  const six: Prefix[] = [];
  for (const prefix of prefixes) (prefix.includes(":") ? six : four).push(prefix);
  return { 4: canonical(four, 4), 6: canonical(six, 6) };
}

/** The same in pieces of a few milliseconds: who has others to answer asks for the next one when there is time. */
export function* prefixSetInPieces(prefixes: readonly Prefix[]): Generator<void, PrefixSet> {
  const four: Prefix[] = [];
  const six: Prefix[] = [];
  for (const [i, prefix] of prefixes.entries()) {
    (prefix.includes(":") ? six : four).push(prefix);
    if (i % piece === 0) yield;
  }
  const made = { 4: yield* canonicalInPieces(four, 4), 6: yield* canonicalInPieces(six, 6) };
  madeOf.set(prefixes, made);
  return made;
}

/** About five milliseconds of sorting. */
const piece = 8192;

/** Whether one of the set's prefixes covers all of this one. */
export function has(set: PrefixSet, prefix: Prefix): boolean {
  const candidate = set[familyOf(prefix)][placeOf(set, prefix) - 1];
  return candidate !== undefined && isWithin(prefix, candidate);
}

/** The set's prefixes that this one covers. */
export function inside(set: PrefixSet, outer: Prefix): readonly Prefix[] {
  const list = set[familyOf(outer)];
  const out: Prefix[] = [];
  // one that begins where `outer` begins may stand just before its place
  for (let i = Math.max(0, placeOf(set, outer) - 1); i < list.length; i += 1) {
    const prefix = list[i];
    if (prefix !== undefined && isWithin(prefix, outer)) out.push(prefix);
    else if (i >= placeOf(set, outer)) break;
  }
  return out;
}

/** Of a list, those that the set covers; for a set of few. */
export function within(prefixes: readonly Prefix[], outer: PrefixSet): readonly Prefix[] {
  const by = { 4: wordsOf(outer[4]), 6: wordsOf(outer[6]) };
  if (by[4].length + by[6].length === 0) return [];
  const words = new Uint32Array(4);
  return prefixes.filter((prefix) => {
    const outers = by[familyOf(prefix)];
    if (outers.length === 0) return false;
    readWords(prefix, words, 0);
    const length = lengthOf(prefix);
    return outers.some(
      (o) => o.length <= length && sameHead(words, 0, o.words, 0, offset(familyOf(prefix)) + o.length),
    );
  });
}

function wordsOf(prefixes: readonly Prefix[]): readonly { readonly words: Uint32Array; readonly length: number }[] {
  return prefixes.map((prefix) => {
    const words = new Uint32Array(4);
    readWords(prefix, words, 0);
    return { words, length: lengthOf(prefix) };
  });
}

/** How many of the set begin at or before this one: a walk by halving over sorted, disjoint prefixes. */
function placeOf(set: PrefixSet, prefix: Prefix): number {
  const list = set[familyOf(prefix)];
  const wanted = new Uint32Array(4);
  const probe = new Uint32Array(4);
  readWords(prefix, wanted, 0);
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    readWords(list[middle] ?? prefix, probe, 0);
    if (compareWords(probe, 0, wanted, 0) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isWithin(prefix: Prefix, outer: Prefix): boolean {
  const words = new Uint32Array(8);
  readWords(prefix, words, 0);
  readWords(outer, words, 4);
  const length = lengthOf(outer);
  return length <= lengthOf(prefix) && sameHead(words, 0, words, 4, offset(familyOf(outer)) + length);
}

function canonical(prefixes: readonly Prefix[], family: Family): readonly Prefix[] {
  if (prefixes.length < 2) return prefixes;
  const words = new Uint32Array(prefixes.length * 4);
  const lengths = new Uint8Array(prefixes.length);
  prefixes.forEach((prefix, i) => {
    readWords(prefix, words, i * 4);
    lengths[i] = lengthOf(prefix);
  });
  const order = Uint32Array.from(lengths.keys());
  const compare = (a: number, b: number): number =>
    compareWords(words, a * 4, words, b * 4) || at(lengths, a) - at(lengths, b);
  if (order.some((i) => i > 0 && compare(i - 1, i) > 0)) order.sort(compare);
  return join(prefixes, words, lengths, order, family);
}

function* canonicalInPieces(prefixes: readonly Prefix[], family: Family): Generator<void, readonly Prefix[]> {
  if (prefixes.length < 2) return prefixes;
  const words = new Uint32Array(prefixes.length * 4);
  const lengths = new Uint8Array(prefixes.length);
  for (const [i, prefix] of prefixes.entries()) {
    readWords(prefix, words, i * 4);
    lengths[i] = lengthOf(prefix);
    if (i % piece === 0) yield;
  }
  const compare = (a: number, b: number): number =>
    compareWords(words, a * 4, words, b * 4) || at(lengths, a) - at(lengths, b);
  let order = Uint32Array.from(lengths.keys());
  for (let from = 0; from < order.length; from += piece) {
    order.subarray(from, from + piece).sort(compare);
    yield;
  }
  let other = new Uint32Array(order.length);
  for (let run = piece; run < order.length; run *= 2) {
    for (let from = 0; from < order.length; from += 2 * run) {
      let [left, right] = [from, Math.min(from + run, order.length)];
      const [middle, end] = [right, Math.min(from + 2 * run, order.length)];
      for (let to = from; to < end; to += 1) {
        const takesLeft = right >= end || (left < middle && compare(at(order, left), at(order, right)) <= 0);
        other[to] = takesLeft ? at(order, left++) : at(order, right++);
        if (to % piece === 0) yield;
      }
    }
    [order, other] = [other, order];
  }
  return join(prefixes, words, lengths, order, family);
}

/** One pass with a stack: what the top covers is dropped, two halves of one prefix become it. */
function join(
  prefixes: readonly Prefix[],
  words: Uint32Array,
  lengths: Uint8Array,
  order: Uint32Array,
  family: Family,
): readonly Prefix[] {
  const kept = new Uint32Array(order.length);
  const joined = new Uint8Array(order.length);
  const base = offset(family);
  let top = 0;
  for (const next of order) {
    const above = at(kept, top - 1);
    if (top > 0 && sameHead(words, above * 4, words, next * 4, base + at(lengths, above))) continue;
    kept[top] = next;
    top += 1;
    while (top > 1) {
      const [left, right] = [at(kept, top - 2), at(kept, top - 1)];
      const length = at(lengths, left);
      if (length !== at(lengths, right) || length === 0) break;
      if (!sameHead(words, left * 4, words, right * 4, base + length - 1)) break;
      lengths[left] = length - 1;
      joined[left] = 1;
      top -= 1;
    }
  }
  return Array.from(kept.subarray(0, top), (i) => {
    const prefix = prefixes[i];
    if (prefix === undefined) throw new Error("prefix out of reach");
    // the left half's first address is the whole's: only the length is another
    return at(joined, i) === 0 ? prefix : (`${prefix.slice(0, prefix.indexOf("/"))}/${at(lengths, i)}` as Prefix);
  });
}

/** IPv4 sits in the last of the four words, so one comparison serves both families. */
function offset(family: Family): number {
  return family === 4 ? 96 : 0;
}

function readWords(prefix: Prefix, into: Uint32Array, from: number): void {
  if (!prefix.includes(":")) {
    into.fill(0, from, from + 3);
    into[from + 3] = readDecimal(prefix);
    return;
  }
  const text = prefix.slice(0, prefix.indexOf("/"));
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  for (let word = 0; word < 4; word += 1)
    into[from + word] = parseInt(groups[word * 2] ?? "0", 16) * 65536 + parseInt(groups[word * 2 + 1] ?? "0", 16);
}

/** By hand: splitting the text of a million prefixes takes a second. */
function readDecimal(prefix: string): number {
  let word = 0;
  let part = 0;
  for (let i = 0; i < prefix.length; i += 1) {
    const code = prefix.charCodeAt(i);
    if (code === 47) break;
    if (code === 46) {
      word = word * 256 + part;
      part = 0;
    } else part = part * 10 + code - 48;
  }
  return word * 256 + part;
}

function compareWords(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  for (let word = 0; word < 4; word += 1) {
    const difference = at(a, i + word) - at(b, j + word);
    if (difference !== 0) return difference;
  }
  return 0;
}

function sameHead(a: Uint32Array, i: number, b: Uint32Array, j: number, bits: number): boolean {
  const whole = bits >>> 5;
  for (let word = 0; word < whole; word += 1) if (a[i + word] !== b[j + word]) return false;
  const rest = bits & 31;
  return rest === 0 || (at(a, i + whole) ^ at(b, j + whole)) >>> (32 - rest) === 0;
}

function at(array: Uint32Array | Uint8Array, index: number): number {
  return array[index] ?? 0;
}
