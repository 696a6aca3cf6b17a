// One question about addresses as intervals: sorted starts, each with the answer from there on. Made by one sweep over the
// question's prefixes alone; prefixes are nested or apart, never crossing, so one stack is enough. Two questions about the
// same million prefixes come out equal, and are then one.
//
// Addresses are 32-bit words in typed arrays, the highest first: one word for IPv4, four for IPv6.
import type { Family } from "../contract/prefix.ts";

/** Prefixes with a value each, as they were added. */
export interface Entries {
  /** `wordsOf(family)` words an entry */
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  readonly values: Int32Array;
  readonly count: number;
}

export interface Intervals {
  readonly count: number;
  readonly starts: Uint32Array;
  readonly answers: Int32Array;
}

export const wordsOf = (family: Family): 1 | 4 => (family === 4 ? 1 : 4);

/** Lengths from 0 to 128, and room for one more. */
const deepest = 130;

/** `inner`: the answer under a prefix of this value, given the answer around it. The answer around all is 0. */
export function intervalsOf(
  family: Family,
  entries: Entries,
  inner: (around: number, value: number) => number,
): Intervals {
  const width = wordsOf(family);
  const { words, lengths, values, count } = entries;
  const order = sorted(width, words, lengths, count);
  // each prefix begins one interval and may end in another, the first begins at zero
  const starts = new Uint32Array((2 * count + 1) * width);
  const answers = new Int32Array(2 * count + 1);
  let made = 1;
  // nested prefixes are of unlike length
  const ends = new Uint32Array(deepest * width);
  const around = new Int32Array(deepest);
  let depth = 0;
  let now = 0;

  const begin = (at: Uint32Array, from: number, answer: number): void => {
    if (made > 0 && compareWords(width, starts, (made - 1) * width, at, from) === 0) made -= 1;
    if (made > 0 && answers[made - 1] === answer) return;
    for (let w = 0; w < width; w++) starts[made * width + w] = at[from + w] as number;
    answers[made] = answer;
    made += 1;
  };
  const after = new Uint32Array(width);
  const close = (): void => {
    depth -= 1;
    now = around[depth] as number;
    if (nextWords(width, ends, depth * width, after)) begin(after, 0, now);
  };

  for (let i = 0; i < count; i++) {
    const at = order[i] as number;
    while (depth > 0 && compareWords(width, ends, (depth - 1) * width, words, at * width) < 0) close();
    lastWords(width, words, at * width, lengths[at] as number, ends, depth * width);
    const before = now;
    now = inner(now, values[at] as number);
    begin(words, at * width, now);
    // what ends with the prefix around it ends when that does
    if (depth > 0 && compareWords(width, ends, (depth - 1) * width, ends, depth * width) === 0) continue;
    around[depth] = before;
    depth += 1;
  }
  while (depth > 0) close();
  return { count: made, starts: starts.slice(0, made * width), answers: answers.slice(0, made) };
}

/** Whether both change at the same addresses, and never answer alike where the other answers differently. */
export function alike(a: Intervals, b: Intervals): boolean {
  if (a.count !== b.count) return false;
  for (let i = 0; i < a.starts.length; i++) if (a.starts[i] !== b.starts[i]) return false;
  const there = new Map<number, number>();
  const back = new Map<number, number>();
  for (let i = 0; i < a.count; i++) {
    const [x, y] = [a.answers[i] as number, b.answers[i] as number];
    const known = there.get(x);
    if (known === undefined && back.get(y) === undefined) {
      there.set(x, y);
      back.set(y, x);
    } else if (known !== y) return false;
  }
  return true;
}

export function compareWords(width: number, a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  for (let w = 0; w < width; w++) {
    const d = (a[i + w] as number) - (b[j + w] as number);
    if (d !== 0) return d;
  }
  return 0;
}

/** The address after; false: there is none. */
function nextWords(width: number, from: Uint32Array, at: number, to: Uint32Array): boolean {
  for (let w = 0; w < width; w++) to[w] = from[at + w] as number;
  for (let w = width - 1; w >= 0; w--) {
    const word = (to[w] as number) + 1;
    to[w] = word;
    if (word <= 0xffff_ffff) return true;
  }
  return false;
}

/** The last address of a prefix. */
function lastWords(width: number, from: Uint32Array, at: number, length: number, to: Uint32Array, into: number): void {
  for (let w = 0; w < width; w++) {
    const kept = Math.min(32, Math.max(0, length - 32 * w));
    to[into + w] = (from[at + w] as number) + (kept === 32 ? 0 : 2 ** (32 - kept) - 1);
  }
}

const digit = 11;
const digits = 1 << digit;

/** By start, then the shorter prefix, then as added: a radix sort from the lowest digit, each pass keeping what was. */
function sorted(width: number, words: Uint32Array, lengths: Uint8Array, count: number): Uint32Array {
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  if (count < 2 || isSorted(width, words, lengths, count)) return order;
  let other = new Uint32Array(count);
  const tally = new Uint32Array(digits);
  const pass = (keys: Uint32Array | Uint8Array, stride: number, offset: number, shift: number): void => {
    tally.fill(0);
    for (let i = 0; i < count; i++) {
      const d = ((keys[i * stride + offset] as number) >>> shift) & (digits - 1);
      tally[d] = (tally[d] as number) + 1;
    }
    const first = ((keys[offset] as number) >>> shift) & (digits - 1);
    if (tally[first] === count) return;
    let sum = 0;
    for (let d = 0; d < digits; d++) {
      const n = tally[d] as number;
      tally[d] = sum;
      sum += n;
    }
    for (let i = 0; i < count; i++) {
      const at = order[i] as number;
      const d = ((keys[at * stride + offset] as number) >>> shift) & (digits - 1);
      const place = tally[d] as number;
      tally[d] = place + 1;
      other[place] = at;
    }
    [order, other] = [other, order];
  };
  pass(lengths, 1, 0, 0);
  for (let w = width - 1; w >= 0; w--) for (let shift = 0; shift < 32; shift += digit) pass(words, width, w, shift);
  return order;
}

function isSorted(width: number, words: Uint32Array, lengths: Uint8Array, count: number): boolean {
  for (let i = 1; i < count; i++) {
    const d = compareWords(width, words, (i - 1) * width, words, i * width);
    if (d > 0 || (d === 0 && (lengths[i - 1] as number) > (lengths[i] as number))) return false;
  }
  return true;
}
