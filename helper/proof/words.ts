// Prefixes read into 32-bit words, the first the highest: one for IPv4, four for IPv6. Reading is by hand, because the
// careful parser takes ten microseconds a prefix and a list has a million; it reads canonical text and checks nothing.
import { rangeOf, type Address, type Family, type Prefix } from "../contract/prefix.ts";

/** Puts the words of a canonical prefix or address into `out` from `at` on and gives its length. Host bits must be zero. */
export function parsePrefixWords(text: string, out: Uint32Array, at: number): number {
  let word = 0;
  let part = 0;
  let i = 0;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      word = word * 256 + part;
      part = 0;
    } else if (code === 47) break;
    else if (code > 57) return parseSix(text, out, at);
    else part = part * 10 + code - 48;
  }
  out[at] = word * 256 + part;
  return i === text.length ? 32 : numberFrom(text, i + 1);
}

/** Canonical IPv6 has its first colon among the first five characters, IPv4 has none. */
export function isSix(text: string): boolean {
  for (let i = 0; i < 5; i++) if (text.charCodeAt(i) === 58) return true;
  return false;
}

function parseSix(text: string, out: Uint32Array, at: number): number {
  const slash = text.indexOf("/");
  const end = slash < 0 ? text.length : slash;
  if (text.includes(".")) parseSlow(text.slice(0, end), out, at);
  else parse6(text, end, out, at);
  return slash < 0 ? 128 : numberFrom(text, slash + 1);
}

function numberFrom(text: string, start: number): number {
  let number = 0;
  for (let i = start; i < text.length; i++) number = number * 10 + text.charCodeAt(i) - 48;
  return number;
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

const outerWords = new Uint32Array(4);
const innerWords = new Uint32Array(4);

/** What `covers` says, of canonical prefixes and addresses, a hundred times sooner. */
export function coversQuickly(outer: Prefix, inner: Prefix | Address): boolean {
  if (isSix(outer) !== isSix(inner)) return false;
  const length = parsePrefixWords(outer, outerWords, 0);
  return parsePrefixWords(inner, innerWords, 0) >= length && sameHead(outerWords, innerWords, length);
}

/** Of a list of any length, those that one of a few covers. */
export function coveredBy(prefixes: readonly Prefix[], outers: readonly Prefix[]): readonly Prefix[] {
  if (outers.length === 0) return [];
  const around = outers.map((outer) => {
    const words = new Uint32Array(4);
    return { six: isSix(outer), words, length: parsePrefixWords(outer, words, 0) };
  });
  return prefixes.filter((prefix) => {
    const six = isSix(prefix);
    const length = parsePrefixWords(prefix, innerWords, 0);
    return around.some((o) => o.six === six && o.length <= length && sameHead(o.words, innerWords, o.length));
  });
}

function sameHead(a: Uint32Array, b: Uint32Array, bits: number): boolean {
  const whole = bits >>> 5;
  for (let word = 0; word < whole; word++) if (a[word] !== b[word]) return false;
  const rest = bits & 31;
  return rest === 0 || ((a[whole] as number) ^ (b[whole] as number)) >>> (32 - rest) === 0;
}

export function valueOf(family: Family, words: Uint32Array): bigint {
  if (family === 4) return BigInt(words[0] ?? 0);
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
}
