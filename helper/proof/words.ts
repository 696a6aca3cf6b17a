// Prefixes read into 32-bit words, the first the highest: one for IPv4, four for IPv6. Reading is by hand, because the
// careful parser takes ten microseconds a prefix and a list has a million; it reads canonical text and checks nothing.
import { rangeOf, type Address, type Family } from "../contract/prefix.ts";

/** Puts the words of a canonical prefix or address into `out` from `at` on and gives its length. Host bits must be zero. */
export function parsePrefixWords(text: string, out: Uint32Array, at: number): number {
  const slash = text.indexOf("/");
  const end = slash < 0 ? text.length : slash;
  const six = text.includes(":");
  if (six && text.includes(".")) parseSlow(text.slice(0, end), out, at);
  else if (six) parse6(text, end, out, at);
  else out[at] = parse4(text, end);
  if (slash < 0) return six ? 128 : 32;
  let length = 0;
  for (let i = slash + 1; i < text.length; i++) length = length * 10 + text.charCodeAt(i) - 48;
  return length;
}

function parse4(text: string, end: number): number {
  let word = 0;
  let part = 0;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      word = word * 256 + part;
      part = 0;
    } else part = part * 10 + code - 48;
  }
  return word * 256 + part;
}

const parts = new Uint16Array(8);

function parse6(text: string, end: number, out: Uint32Array, at: number): void {
  let count = 0;
  let gap = -1;
  let part = 0;
  let digits = 0;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) {
      if (digits > 0) parts[count++] = part;
      else gap = count;
      part = 0;
      digits = 0;
    } else {
      part = part * 16 + (code > 96 ? code - 87 : code > 64 ? code - 55 : code - 48);
      digits++;
    }
  }
  if (digits > 0) parts[count++] = part;
  if (gap >= 0) {
    // what stands behind the gap belongs at the end
    const moved = count - gap;
    parts.copyWithin(8 - moved, gap, count);
    parts.fill(0, gap, 8 - moved);
  }
  for (let i = 0; i < 4; i++) out[at + i] = (parts[2 * i] ?? 0) * 65536 + (parts[2 * i + 1] ?? 0);
}

/** `::ffff:192.0.2.1` and the like: rare, so the obvious way. */
function parseSlow(text: string, out: Uint32Array, at: number): void {
  const { first } = rangeOf(text as Address);
  for (let i = 0; i < 4; i++) out[at + i] = Number((first >> BigInt(96 - 32 * i)) & 0xffff_ffffn);
}

export function valueOf(family: Family, words: Uint32Array): bigint {
  if (family === 4) return BigInt(words[0] ?? 0);
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}
