// One recorded frame, read as far as judging it needs: who, to whom, which protocol and ports, and what would make the
// visible destination a lie (source routes, tags, later fragments). Pure.
import { type Address, printAddress } from "../../helper/contract/prefix.ts";

export interface Frame {
  /** Unix milliseconds, with fractions. */
  readonly at: number;
  readonly length: number;
  readonly fromMac: string;
  readonly toMac: string;
  readonly etherType: number;
  /** 802.1Q or 802.1ad tags stood before the type. */
  readonly tagged: boolean;
  readonly net: Net | undefined;
}

export type Net =
  | { readonly kind: "arp"; readonly sender: Address; readonly target: Address }
  | {
      readonly kind: "ip";
      readonly family: 4 | 6;
      readonly source: Address;
      readonly destination: Address;
      readonly protocol: number;
      readonly hops: number;
      readonly sourceRouted: boolean;
      /** Of UDP, TCP, UDP-Lite, SCTP; not of second fragments. */
      readonly sport: number | undefined;
      readonly dport: number | undefined;
      /** Type of ICMP or ICMPv6. */
      readonly icmp: number | undefined;
      /** What follows the IP headers, as far as it was recorded. */
      readonly body: Buffer;
    };

const arpType = 0x0806;
const ipv4Type = 0x0800;
const ipv6Type = 0x86dd;
const tags = new Set([0x8100, 0x88a8, 0x9100]);
const withPorts = new Set([6, 17, 132, 136]);

export function parseFrame(at: number, length: number, bytes: Buffer): Frame {
  let offset = 12;
  let etherType = bytes.length >= 14 ? bytes.readUInt16BE(12) : 0;
  while (tags.has(etherType) && bytes.length >= offset + 6) {
    offset += 4;
    etherType = bytes.readUInt16BE(offset);
  }
  const rest = bytes.subarray(offset + 2);
  const net = etherType === arpType ? arp(rest) : etherType === ipv4Type ? ipv4(rest) : ipv6OrNone(etherType, rest);
  return { at, length, fromMac: mac(bytes, 6), toMac: mac(bytes, 0), etherType, tagged: offset > 12, net };
}

/** `10:31:02.123456 10.40.0.10 → 192.0.2.10 UDP 40000→53, 74 bytes` */
export function printFrame(frame: Frame): string {
  const time = new Date(frame.at).toISOString().slice(11, 23);
  return `${time} ${printNet(frame)}, ${frame.length} bytes`;
}

function printNet(frame: Frame): string {
  const { net } = frame;
  const tag = frame.tagged ? "tagged " : "";
  if (net === undefined) return `${frame.fromMac} → ${frame.toMac} ${tag}type 0x${frame.etherType.toString(16)}`;
  if (net.kind === "arp") return `${tag}ARP ${net.sender} asks for or tells ${net.target}`;
  const ports = net.sport === undefined ? "" : ` ${net.sport}→${net.dport ?? 0}`;
  const icmp = net.icmp === undefined ? "" : ` type ${net.icmp}`;
  const routed = net.sourceRouted ? " source-routed" : "";
  return `${net.source} → ${net.destination} ${tag}${protocolName(net.protocol)}${ports}${icmp}${routed}`;
}

function protocolName(protocol: number): string {
  const names: Record<number, string> = { 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP" };
  return names[protocol] ?? `protocol ${protocol}`;
}

function arp(bytes: Buffer): Net | undefined {
  if (bytes.length < 28) return undefined;
  return { kind: "arp", sender: address4(bytes, 14), target: address4(bytes, 24) };
}

function ipv4(bytes: Buffer): Net | undefined {
  const first = bytes[0] ?? 0;
  const headerLength = (first & 15) * 4;
  if (first >> 4 !== 4 || headerLength < 20 || bytes.length < headerLength) return undefined;
  const protocol = bytes[9] ?? 0;
  const later = (bytes.readUInt16BE(6) & 0x1fff) !== 0;
  const body = bytes.subarray(headerLength);
  const source = address4(bytes, 12);
  const destination = address4(bytes, 16);
  const sourceRouted = hasRouteOption(bytes.subarray(20, headerLength));
  const top = later ? undefined : transport(protocol, body);
  return {
    kind: "ip",
    family: 4,
    source,
    destination,
    protocol,
    hops: bytes[8] ?? 0,
    sourceRouted,
    ...ends(top),
    body,
  };
}

function ipv6OrNone(etherType: number, bytes: Buffer): Net | undefined {
  if (etherType !== ipv6Type || bytes.length < 40 || (bytes[0] ?? 0) >> 4 !== 6) return undefined;
  let protocol = bytes[6] ?? 0;
  let offset = 40;
  let sourceRouted = false;
  let later = false;
  // hop-by-hop 0, routing 43, fragment 44, destination options 60 (RFC 8200, 4)
  while ([0, 43, 44, 60].includes(protocol) && bytes.length >= offset + 8) {
    if (protocol === 43) sourceRouted = true;
    if (protocol === 44) later = (bytes.readUInt16BE(offset + 2) & 0xfff8) !== 0;
    const length = protocol === 44 ? 8 : 8 * ((bytes[offset + 1] ?? 0) + 1);
    protocol = bytes[offset] ?? 0;
    offset += length;
  }
  const body = bytes.subarray(offset);
  const source = address6(bytes, 8);
  const destination = address6(bytes, 24);
  const top = later ? undefined : transport(protocol, body);
  return {
    kind: "ip",
    family: 6,
    source,
    destination,
    protocol,
    hops: bytes[7] ?? 0,
    sourceRouted,
    ...ends(top),
    body,
  };
}

interface Ends {
  readonly sport: number | undefined;
  readonly dport: number | undefined;
  readonly icmp: number | undefined;
}

const ends = (top: Ends | undefined): Ends => top ?? { sport: undefined, dport: undefined, icmp: undefined };

function transport(protocol: number, body: Buffer): Ends | undefined {
  if (withPorts.has(protocol) && body.length >= 4) {
    return { sport: body.readUInt16BE(0), dport: body.readUInt16BE(2), icmp: undefined };
  }
  if ((protocol === 1 || protocol === 58) && body.length >= 1) return { ...ends(undefined), icmp: body[0] };
  return undefined;
}

/** Loose (131) or strict (137) source route among the options (RFC 791, 3.1). */
function hasRouteOption(options: Buffer): boolean {
  for (let at = 0; at < options.length;) {
    const kind = options[at] ?? 0;
    if (kind === 131 || kind === 137) return true;
    if (kind === 0) return false;
    at += kind === 1 ? 1 : Math.max(2, options[at + 1] ?? 2);
  }
  return false;
}

const mac = (bytes: Buffer, at: number): string => bytes.toString("hex", at, at + 6).replace(/(..)(?=.)/g, "$1:");
const address4 = (bytes: Buffer, at: number): Address =>
  `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Address;
const address6 = (bytes: Buffer, at: number): Address =>
  printAddress(6, BigInt(`0x${bytes.toString("hex", at, at + 16)}`));
