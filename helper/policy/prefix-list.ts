// Lists of prefixes as people keep them: text, one a line, comments after # or ;. What is no prefix is told with its line,
// and then nothing of the list counts. A million lines pass here, so addresses are read by hand; `parsePrefix` is the slow
// twin in the test.
import { type Prefix } from "../contract/prefix.ts";
import { type PrefixSet, prefixSetInPieces } from "./prefix-set.ts";

export interface ListReader {
  /** A piece of the text, cut wherever it was. */
  push(text: string): void;
  readonly lines: number;
  readonly read: number;
  /** In pieces of a few milliseconds. */
  end(): Generator<void, ReadList>;
}

export interface ReadList {
  readonly lines: number;
  /** Lines that were prefixes. */
  readonly read: number;
  /** Sorted and merged; what overlaps is one. */
  readonly set: PrefixSet;
  /** The first lines that are none. */
  readonly bad: readonly { readonly line: number; readonly text: string }[];
  readonly badLines: number;
  readonly tooMany: boolean;
}

export const mostPrefixes = 1_000_000;
/** Shown to a person; a list of nonsense has made its point by then. */
export const shownBad = 20;
const longestLine = 4096;

export function listReader(): ListReader {
  const prefixes: Prefix[] = [];
  const bad: { line: number; text: string }[] = [];
  let badLines = 0;
  let lines = 0;
  let rest = "";
  let tooMany = false;

  const take = (text: string): void => {
    lines += 1;
    const end = text.search(/[#;]/);
    const line = (end < 0 ? text : text.slice(0, end)).trim();
    if (line === "") return;
    const prefix = line.length > 64 ? undefined : readPrefix(line);
    if (prefix === undefined) {
      badLines += 1;
      if (bad.length < shownBad) bad.push({ line: lines, text: line.slice(0, 80) });
    } else if (prefixes.length >= mostPrefixes) tooMany = true;
    else prefixes.push(prefix);
  };

  return {
    get lines() {
      return lines;
    },
    get read() {
      return prefixes.length;
    },
    push(text) {
      const pieces = (rest + text).split("\n");
      rest = pieces.pop() ?? "";
      // a line without end would be kept whole
      if (rest.length > longestLine) rest = rest.slice(0, longestLine);
      for (const piece of pieces) take(piece);
    },
    *end() {
      if (rest !== "") take(rest);
      rest = "";
      const set = badLines > 0 || tooMany ? { 4: [], 6: [] } : yield* prefixSetInPieces(prefixes);
      return { lines, read: prefixes.length, set, bad, badLines, tooMany };
    },
  };
}

/** One address or prefix in canonical form, host bits cleared; undefined when it is none. */
export function readPrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const four = !address.includes(":");
  const longest = four ? 32 : 128;
  const length = slash < 0 ? longest : lengthIn(text, slash + 1, longest);
  if (length < 0) return undefined;
  return four ? prefix4(address, length) : prefix6(address, length);
}

function lengthIn(text: string, from: number, longest: number): number {
  if (from >= text.length || text.length - from > 3) return -1;
  let value = 0;
  for (let i = from; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  if (text.charCodeAt(from) === 48 && text.length - from > 1) return -1;
  return value <= longest ? value : -1;
}

function prefix4(text: string, length: number): Prefix | undefined {
  const word = word4(text);
  if (word < 0) return undefined;
  const mask = length === 0 ? 0 : (0xffff_ffff << (32 - length)) >>> 0;
  const masked = (word & mask) >>> 0;
  return `${masked === word ? text : print4(masked)}/${length}` as Prefix;
}

/** -1: none. No leading zeros, as `inet_pton` has it. */
function word4(text: string): number {
  let word = 0;
  let part = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      if (part < 0 || dots === 3) return -1;
      word = word * 256 + part;
      part = -1;
      dots += 1;
    } else {
      const digit = code - 48;
      if (digit < 0 || digit > 9 || part === 0) return -1;
      part = part < 0 ? digit : part * 10 + digit;
      if (part > 255) return -1;
    }
  }
  return part < 0 || dots !== 3 ? -1 : word * 256 + part;
}

function print4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function prefix6(text: string, length: number): Prefix | undefined {
  const groups = groups6(text);
  if (groups === undefined) return undefined;
  for (let i = 0; i < 8; i += 1) {
    const bits = Math.min(16, Math.max(0, length - i * 16));
    groups[i] = (groups[i] ?? 0) & (bits === 0 ? 0 : (0xffff << (16 - bits)) & 0xffff);
  }
  return `${print6(groups)}/${length}` as Prefix;
}

function groups6(text: string): Uint16Array | undefined {
  const gap = text.indexOf("::");
  if (gap >= 0 && text.includes("::", gap + 1)) return undefined;
  const left = parts6(gap < 0 ? text : text.slice(0, gap));
  const right = gap < 0 ? [] : parts6(text.slice(gap + 2));
  if (left === undefined || right === undefined) return undefined;
  // dotted IPv4 stands last only
  const count = left.length + right.length;
  if (gap < 0 ? count !== 8 : count > 7) return undefined;
  if (gap >= 0 && text.slice(0, gap).includes(".")) return undefined;
  const groups = new Uint16Array(8);
  groups.set(left, 0);
  groups.set(right, 8 - right.length);
  return groups;
}

function parts6(text: string): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const out: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes(".")) {
      const word = word4(part);
      if (word < 0) return undefined;
      out.push(word >>> 16, word & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      out.push(parseInt(part, 16));
    }
  }
  return out;
}

/** RFC 5952, 4: the first longest run of two zero groups or more is `::`. */
function print6(groups: Uint16Array): string {
  let [best, length, at] = [-1, 1, -1];
  for (let i = 0; i <= 8; i += 1) {
    if (i < 8 && groups[i] === 0) {
      if (at < 0) at = i;
    } else if (at >= 0) {
      if (i - at > length) [best, length] = [at, i - at];
      at = -1;
    }
  }
  const text = (from: number, to: number): string =>
    Array.from(groups.subarray(from, to), (group) => group.toString(16)).join(":");
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + length, 8)}`;
}
