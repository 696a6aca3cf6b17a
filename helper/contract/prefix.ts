// Addresses and prefixes as they cross the socket: canonical text, checked at the door.
// ip-num does the parsing; everything behind the door may rely on the canonical form (lower case, RFC 5952 for IPv6,
// host bits zero in a prefix), so two equal prefixes are equal strings.
import { IPv4, IPv6, collapseIPv6Number } from "ip-num";
import { z } from "zod";

export type Family = 4 | 6;
/** An address without length, e.g. `192.0.2.1` or `2001:db8::1`. Canonical. */
export type Address = string & { readonly brand: "address" };
/** A prefix `address/length` with all host bits zero. Canonical. */
export type Prefix = string & { readonly brand: "prefix" };
/** An interface address: host bits kept, e.g. `10.0.0.2/24`. Canonical. */
export type InterfaceAddress = string & { readonly brand: "interface address" };

export function familyOf(text: Address | Prefix | InterfaceAddress): Family {
  return text.includes(":") ? 6 : 4;
}

/** Parses an address; undefined when it is none. No host names, no zone, no leading zeros. */
export function parseAddress(text: string): Address | undefined {
  const bits = toBits(text);
  return bits === undefined ? undefined : printAddress(bits.family, bits.value);
}

/** Parses `address[/length]`; host bits are cleared. A bare address is a prefix of full length. */
export function parsePrefix(text: string): Prefix | undefined {
  const parts = splitLength(text);
  if (parts === undefined) return undefined;
  const { family, value, length } = parts;
  return `${printAddress(family, value & maskOf(family, length))}/${length}` as Prefix;
}

/** Parses `address[/length]` and keeps the host bits: an address as `ip addr` shows it. */
export function parseInterfaceAddress(text: string): InterfaceAddress | undefined {
  const parts = splitLength(text);
  if (parts === undefined) return undefined;
  return `${printAddress(parts.family, parts.value)}/${parts.length}` as InterfaceAddress;
}

export function addressOf(text: InterfaceAddress | Prefix): Address {
  return text.slice(0, text.indexOf("/")) as Address;
}

export function lengthOf(text: InterfaceAddress | Prefix): number {
  return Number(text.slice(text.indexOf("/") + 1));
}

/** The prefix an interface address lies in: `192.0.2.7/24` → `192.0.2.0/24`. */
export function networkOf(text: InterfaceAddress): Prefix {
  return parsePrefix(text) as Prefix;
}

export function hostPrefix(address: Address): Prefix {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}` as Prefix;
}

/** Whether `outer` covers all of `inner`; false across families. */
export function covers(outer: Prefix, inner: Prefix | Address): boolean {
  const a = rangeOf(outer);
  const b = rangeOf(inner);
  return a.family === b.family && a.first <= b.first && b.last <= a.last;
}

export function overlaps(one: Prefix, other: Prefix): boolean {
  const a = rangeOf(one);
  const b = rangeOf(other);
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** First and last address of a prefix as numbers, inclusive. */
export function rangeOf(text: Prefix | Address): { family: Family; first: bigint; last: bigint } {
  const parts = splitLength(text);
  if (parts === undefined) throw new Error(`not a prefix: ${text}`);
  const mask = maskOf(parts.family, parts.length);
  const first = parts.value & mask;
  return { family: parts.family, first, last: first | (full(parts.family) ^ mask) };
}

export function printAddress(family: Family, value: bigint): Address {
  if (family === 4) return new IPv4(value).toString() as Address;
  return collapseIPv6Number(new IPv6(value).toString()) as Address;
}

const refuse = (what: string) => ({ error: `not ${what}` });
export const addressSchema = z
  .string()
  .max(64)
  .refine((s) => parseAddress(s) !== undefined, refuse("an address"))
  .transform((s) => parseAddress(s) as Address);
export const prefixSchema = z
  .string()
  .max(64)
  .refine((s) => parsePrefix(s) !== undefined, refuse("a prefix"))
  .transform((s) => parsePrefix(s) as Prefix);

function splitLength(text: string): { family: Family; value: bigint; length: number } | undefined {
  const slash = text.indexOf("/");
  const bits = toBits(slash < 0 ? text : text.slice(0, slash));
  if (bits === undefined) return undefined;
  const longest = bits.family === 4 ? 32 : 128;
  if (slash < 0) return { ...bits, length: longest };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(digits) || Number(digits) > longest) return undefined;
  return { ...bits, length: Number(digits) };
}

function toBits(text: string): { family: Family; value: bigint } | undefined {
  // ip-num accepts more than the kernel's own parser does (leading zeros, stray spaces): the shape is checked first
  const v4 = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;
  try {
    if (v4.test(text)) return { family: 4, value: new IPv4(text).getValue() };
    if (!/^[0-9a-fA-F:.]{2,45}$/.test(text) || !text.includes(":")) return undefined;
    const dotted = /^(.*:)((?:\d{1,3}\.){3}\d{1,3})$/.exec(text);
    if (dotted === null) return { family: 6, value: new IPv6(text).getValue() };
    const low = toBits(dotted[2] ?? "");
    if (low === undefined) return undefined;
    const hex = `${(low.value >> 16n).toString(16)}:${(low.value & 0xffffn).toString(16)}`;
    return { family: 6, value: new IPv6(`${dotted[1]}${hex}`).getValue() };
  } catch {
    return undefined;
  }
}

const full = (family: Family): bigint => (family === 4 ? (1n << 32n) - 1n : (1n << 128n) - 1n);
function maskOf(family: Family, length: number): bigint {
  const bits = BigInt((family === 4 ? 32 : 128) - length);
  return (full(family) >> bits) << bits;
}
