// What a frame on an uplink is. The list is of what may be there, with addresses, and everything else is beside the
// tunnel: a kind that nobody thought of is a leak until somebody says otherwise. Pure, and knows nothing of the gate that
// it judges.
import { type Address, covers, parseAddress, type Prefix } from "../../helper/contract/prefix.ts";
import type { Frame, Net } from "./frame.ts";

export const kinds = ["engine", "arp", "nd", "membership", "dhcp", "lan", "direct", "reply", "beside"] as const;
export type Kind = (typeof kinds)[number];

/** What may leave an uplink. */
export interface Allowed {
  /** The node, as the engine speaks to it. */
  readonly engine: readonly { readonly address: string; readonly port: number }[];
  /** What stands on the wire itself: neighbours may be looked for there. */
  readonly onLink: readonly string[];
  /** Approved local networks; empty: none. */
  readonly lan: readonly string[];
  /** Hardware addresses of routers: what goes to them is not on the LAN, unless it is for the router itself. */
  readonly routers: readonly { readonly mac: string; readonly addresses: readonly string[] }[];
  /** Prefixes that policy sends direct. */
  readonly direct: readonly string[];
  /** Resolvers that may be asked in the open. */
  readonly resolvers: readonly string[];
  readonly welcome: readonly { readonly protocol: "tcp" | "udp"; readonly port: number }[];
  /** Addresses inside the tunnel: never seen outside, not even in ARP. */
  readonly inside: readonly string[];
}

type Ip = Extract<Net, { kind: "ip" }>;
/** Connections that came in, as `flowKey` prints them. */
export type Inbound = ReadonlySet<string>;

/** Discovery that belongs to a LAN: mDNS (RFC 6762), SSDP (UPnP 2.0). */
const discovery = [
  { address: "224.0.0.251", port: 5353 },
  { address: "ff02::fb", port: 5353 },
  { address: "239.255.255.250", port: 1900 },
  { address: "ff02::c", port: 1900 },
];
const namePorts = new Set([53, 853]);
const linkLocal = "fe80::/10";
const [icmp6, udp, tcp, igmp] = [58, 17, 6, 2];

export function judge(frame: Frame, allowed: Allowed, inbound: Inbound): Kind {
  const { net } = frame;
  if (net === undefined || frame.tagged) return "beside";
  if (net.kind === "arp") return arpIsLocal(net, allowed) ? "arp" : "beside";
  if (net.sourceRouted || allowed.inside.includes(net.source)) return "beside";
  if (isNeighbourDiscovery(net, allowed)) return "nd";
  if (isMembership(net)) return "membership";
  if (isDhcp(net)) return "dhcp";
  if (isEngine(net, allowed)) return "engine";
  if (inbound.has(flowKey(net, "out"))) return "reply";
  if (net.dport !== undefined && namePorts.has(net.dport)) {
    return allowed.resolvers.includes(net.destination) ? "direct" : "beside";
  }
  if (isLan(frame, net, allowed)) return "lan";
  return within(net.destination, allowed.direct) ? "direct" : "beside";
}

/** The same text for a packet that came in and for its answer. */
export function flowKey(net: Ip, way: "in" | "out"): string {
  const here = way === "in" ? [net.destination, net.dport] : [net.source, net.sport];
  const there = way === "in" ? [net.source, net.sport] : [net.destination, net.dport];
  return `${net.protocol} ${there.join(" ")} ${here.join(" ")}`;
}

/** Whether this frame, seen coming in, opens a flow that policy welcomes. */
export function opensWelcome(net: Ip, allowed: Allowed): boolean {
  const name = net.protocol === tcp ? "tcp" : net.protocol === udp ? "udp" : undefined;
  return allowed.welcome.some((w) => w.protocol === name && w.port === net.dport);
}

function arpIsLocal(net: Extract<Net, { kind: "arp" }>, allowed: Allowed): boolean {
  return within(net.target, allowed.onLink) && !allowed.inside.includes(net.sender);
}

/** RFC 4861: hop limit 255; a neighbour that is asked for must be one. */
function isNeighbourDiscovery(net: Ip, allowed: Allowed): boolean {
  if (net.protocol !== icmp6 || net.hops !== 255) return false;
  const onLink = [linkLocal, ...allowed.onLink];
  if (net.icmp === 133) return net.destination === "ff02::2";
  if (net.icmp !== 135 && net.icmp !== 136) return false;
  const target = addressAt(net.body, 8);
  const asked = net.icmp === 136 || (target !== undefined && within(target, onLink));
  return asked && (net.destination.startsWith("ff02::") || within(net.destination, onLink));
}

/** MLD (RFC 3810) and IGMP (RFC 3376) never leave the link. */
function isMembership(net: Ip): boolean {
  if (net.hops !== 1) return false;
  if (net.protocol === igmp) return net.destination.startsWith("224.0.0.");
  const mld = [131, 132, 143].includes(net.icmp ?? 0);
  return net.protocol === icmp6 && mld && net.destination.startsWith("ff02::");
}

function isDhcp(net: Ip): boolean {
  if (net.protocol !== udp) return false;
  return net.family === 4
    ? net.sport === 68 && net.dport === 67
    : net.sport === 546 && net.dport === 547 && net.destination === "ff02::1:2";
}

/** WireGuard paper, 5.4: a type from 1 to 4 and three zero bytes; anything else to that port is not the engine. */
function isEngine(net: Ip, allowed: Allowed): boolean {
  if (net.protocol !== udp || net.body.length < 12) return false;
  const type = net.body.readUInt32LE(8);
  return type >= 1 && type <= 4 && allowed.engine.some((e) => e.address === net.destination && e.port === net.dport);
}

function isLan(frame: Frame, net: Ip, allowed: Allowed): boolean {
  if (allowed.lan.length === 0) return false;
  if (discovery.some((d) => d.address === net.destination && d.port === net.dport)) return true;
  const router = allowed.routers.find((r) => r.mac === frame.toMac);
  if (router !== undefined && !router.addresses.includes(net.destination)) return false;
  return within(net.destination, allowed.lan);
}

function within(address: Address, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => covers(prefix as Prefix, address));
}

function addressAt(body: Buffer, at: number): Address | undefined {
  if (body.length < at + 16) return undefined;
  const groups = Array.from({ length: 8 }, (_, n) => body.readUInt16BE(at + 2 * n).toString(16));
  return parseAddress(groups.join(":"));
}
