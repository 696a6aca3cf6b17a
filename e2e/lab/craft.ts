// Frames that no socket of the lab would send, as hexadecimal for culvert-flood: router advertisements, packets on a
// raw socket with whatever addresses a test wants.
import { parseAddress, rangeOf } from "../../helper/contract/prefix.ts";

export interface Advertisement {
  readonly mac: string;
  /** Link-local address of the router. */
  readonly router: string;
  /** Each announced as on-link and for addresses (RFC 4861, 4.6.2: flags L and A). */
  readonly prefixes: readonly string[];
  /** Seconds as a default router; 0: none. */
  readonly lifetime?: number;
}

const allNodesMac = "33:33:00:00:00:01";
const ipv6Type = 0x86dd;
const ipv4Type = 0x0800;

/** A router advertisement (RFC 4861, 4.2). */
export function advertisement(ra: Advertisement): string {
  const lifetime = ra.lifetime ?? 1800;
  const head = [134, 0, 0, 0, 64, 0, lifetime >> 8, lifetime & 255, 0, 0, 0, 0, 0, 0, 0, 0];
  const options = ra.prefixes.map((prefix) => {
    const [address = "", length = "64"] = prefix.split("/");
    const lifetimes = [...word(86_400), ...word(14_400), 0, 0, 0, 0];
    return [3, 4, Number(length), 0xc0, ...lifetimes, ...addressBytes(address)];
  });
  const body = Buffer.from([...head, 1, 1, ...macBytes(ra.mac), ...options.flat()]);
  return ethernet(allNodesMac, ra.mac, ipv6Type, ipv6(ra.router, "ff02::1", 58, body, 255));
}

export interface Raw {
  readonly fromMac: string;
  readonly toMac: string;
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly payload?: Buffer;
  /** An 802.1Q tag before the type. */
  readonly vlan?: number;
  /** Loose source route (RFC 791, 3.1): `destination` is the first hop, this the end; IPv4 alone. */
  readonly end?: string;
}

/** A UDP packet as a whole frame, of the family of its addresses. */
export function udpFrame(raw: Raw): string {
  const payload = raw.payload ?? Buffer.from("culvert raw frame: must not get out");
  const header = Buffer.alloc(8);
  header.writeUInt16BE(40_000, 0);
  header.writeUInt16BE(raw.port, 2);
  header.writeUInt16BE(8 + payload.length, 4);
  const body = Buffer.concat([header, payload]);
  const six = raw.destination.includes(":");
  const packet = six
    ? ipv6(raw.source, raw.destination, 17, body, 64)
    : ipv4(raw.source, raw.destination, 17, body, 64, raw.end);
  const type = six ? ipv6Type : ipv4Type;
  if (raw.vlan === undefined) return ethernet(raw.toMac, raw.fromMac, type, packet);
  return ethernet(
    raw.toMac,
    raw.fromMac,
    0x8100,
    Buffer.concat([Buffer.from([0, raw.vlan, type >> 8, type & 255]), packet]),
  );
}

/** A frame of a type that is neither IP nor ARP (0x88b5: IEEE, for experiments). */
export function strangeFrame(toMac: string, fromMac: string): string {
  return ethernet(toMac, fromMac, 0x88b5, Buffer.alloc(46, 0x5a));
}

function ethernet(to: string, from: string, type: number, body: Buffer): string {
  return Buffer.concat([Buffer.from([...macBytes(to), ...macBytes(from), type >> 8, type & 255]), body]).toString(
    "hex",
  );
}

function ipv4(source: string, to: string, protocol: number, body: Buffer, ttl: number, end?: string): Buffer {
  // type, length, pointer to the first address, the address, end of options
  const options = end === undefined ? [] : [131, 7, 4, ...addressBytes(end), 0];
  const header = Buffer.alloc(20 + options.length);
  header[0] = 0x40 + header.length / 4;
  header.writeUInt16BE(header.length + body.length, 2);
  header[8] = ttl;
  header[9] = protocol;
  Buffer.from(addressBytes(source)).copy(header, 12);
  Buffer.from(addressBytes(to)).copy(header, 16);
  Buffer.from(options).copy(header, 20);
  header.writeUInt16BE(checksum(header), 10);
  // a UDP checksum of zero is none (RFC 768)
  return Buffer.concat([header, body]);
}

function ipv6(source: string, destination: string, protocol: number, body: Buffer, hops: number): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(body.length, 4);
  header[6] = protocol;
  header[7] = hops;
  Buffer.from(addressBytes(source)).copy(header, 8);
  Buffer.from(addressBytes(destination)).copy(header, 24);
  const pseudo = Buffer.concat([header.subarray(8, 40), Buffer.from([...word(body.length), 0, 0, 0, protocol])]);
  const sum = checksum(Buffer.concat([pseudo, body]));
  const at = protocol === 58 ? 2 : 6;
  body.writeUInt16BE(sum === 0 ? 0xffff : sum, at);
  return Buffer.concat([header, body]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function addressBytes(text: string): readonly number[] {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  const { family, first } = rangeOf(address);
  const length = family === 4 ? 4 : 16;
  return Array.from({ length }, (_, at) => Number((first >> BigInt(8 * (length - 1 - at))) & 0xffn));
}

const macBytes = (mac: string): readonly number[] => mac.split(":").map((part) => parseInt(part, 16));
const word = (value: number): readonly number[] => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];
