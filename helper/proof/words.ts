// Addresses as four 32-bit words, the first the highest; IPv4 uses the first only. Parsing is by hand, because the careful
// parser takes ten microseconds a prefix and a list has a million; it reads canonical text and checks nothing.
import { rangeOf, type Address, type Family } from "../contract/prefix.ts";

export type Words = readonly number[];

/** Appends the four words of a canonical prefix to `out` and gives its length. Host bits must be zero. */
export function parsePrefixWords(text: string, out: number[]): number {
  const slash = text.indexOf("/");
  const end = slash < 0 ? text.length : slash;
  const six = text.includes(":");
  if (six && text.includes(".")) parseSlow(text.slice(0, end), out);
  else if (six) parse6(text, end, out);
  else parse4(text, end, out);
  return slash < 0 ? (six ? 128 : 32) : Number(text.slice(slash + 1));
}

function parse4(text: string, end: number, out: number[]): void {
  let word = 0;
  let part = 0;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      word = word * 256 + part;
      part = 0;
    } else part = part * 10 + code - 48;
  }
  out.push(word * 256 + part, 0, 0, 0);
}

function parse6(text: string, end: number, out: number[]): void {
  const parts: number[] = [];
  let gap = -1;
  let part = 0;
  let digits = 0;
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) {
      if (digits > 0) parts.push(part);
      else gap = parts.length;
      part = 0;
      digits = 0;
    } else {
      part = part * 16 + (code > 96 ? code - 87 : code > 64 ? code - 55 : code - 48);
      digits++;
    }
  }
  if (digits > 0) parts.push(part);
  while (gap >= 0 && parts.length < 8) parts.splice(gap, 0, 0);
  for (let i = 0; i < 8; i += 2) out.push((parts[i] ?? 0) * 65536 + (parts[i + 1] ?? 0));
}

/** `::ffff:192.0.2.1` and the like: rare, so the obvious way. */
function parseSlow(text: string, out: number[]): void {
  const { first } = rangeOf(text as Address);
  for (let shift = 96n; shift >= 0n; shift -= 32n) out.push(Number((first >> shift) & 0xffff_ffffn));
}

export function valueOf(family: Family, words: Words): bigint {
  if (family === 4) return BigInt(words[0] ?? 0);
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

export function compare(a: Words, b: Words): number {
  for (let w = 0; w < 4; w++) {
    const d = (a[w] ?? 0) - (b[w] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

export function next(family: Family, words: Words): number[] {
  const out = [...words];
  for (let w = family === 4 ? 0 : 3; w >= 0; w--) {
    if ((out[w] ?? 0) < 0xffff_ffff) {
      out[w] = (out[w] ?? 0) + 1;
      return out;
    }
    out[w] = 0;
  }
  return out;
}

export function lastOf(family: Family, start: Words, length: number): number[] {
  return start.map((word, w) => {
    if (family === 4 && w > 0) return 0;
    const kept = Math.min(32, Math.max(0, length - 32 * w));
    return kept === 32 ? word : word + 2 ** (32 - kept) - 1;
  });
}
