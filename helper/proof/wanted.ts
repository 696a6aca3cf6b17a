// What the policy wants of a packet: the specification that plans are held against. Made from policy, facts and exit
// alone, by reading them once more; how the plan was made is not known here, and must not be.
import { addressOf, covers, familyOf, hostPrefix, lengthOf, networkOf, type Prefix } from "../contract/prefix.ts";
import type { Lane, Policy, PolicyRule } from "../contract/policy.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { linkName, markMask, marks } from "../plan/numbers.ts";
import { broadcast4, oneOf } from "./fib.ts";
import { mainTable, ownRoute } from "./machine.ts";
import { ctStates, type Packet, type PrefixSet } from "./packet.ts";

/** Why a packet may leave by something else than the tunnel. */
export type Reason = "inner" | "engine" | "neighbours" | "lease" | "lan" | "direct" | "reply";

export interface Wanted {
  /** Everything that is asked of an address here, for the classes. */
  readonly questions: readonly PrefixSet[];
  /** null: it must not leave by this device. */
  beside(packet: Packet, device: string): Reason | null;
  /** Where the policy wants it: its first matching rule, else the mode. */
  lane(packet: Packet): { readonly lane: Lane; readonly rule: PolicyRule | null };
  /** A query by DNS or DNS over TLS, to wherever. */
  isQuery(packet: Packet): boolean;
  isLan(packet: Packet): boolean;
  isEngine(packet: Packet): boolean;
  /** What the node sends back, as far as its addresses say. */
  isFromNode(packet: Packet): boolean;
  /** The engine's packets, whoever they go to: what P2 keeps out of the tunnel. */
  isMarkedEngine(packet: Packet): boolean;
  /** For a resolver that may be asked through the tunnel: those policy names, else those the node names. */
  isResolver(packet: Packet): boolean;
  isInside(side: "source" | "destination", packet: Packet): boolean;
  isOutside(side: "source" | "destination", packet: Packet): boolean;
  isWelcome(packet: Packet, way: "in" | "out"): boolean;
  readonly lan: readonly LanPrefix[];
  /** What the tunnel carries: of these families, and of these the node's own list. */
  carries(packet: Packet): boolean;
  readonly carried: PrefixSet;
}

export interface LanPrefix {
  readonly device: string;
  readonly prefix: Prefix;
}

const set = (key: string, prefixes: readonly (Prefix | string)[]): PrefixSet => ({
  key,
  prefixes: prefixes as Prefix[],
});

/** RFC 1918, RFC 3927, RFC 4193, RFC 4291: what a network may claim for itself without asking (TunnelCrack). */
const privateSpace = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
] as Prefix[];
/** RFC 5771 local network control and SSDP, RFC 4291 link-local multicast: they end at the link. */
const linkMulticast = set("link multicast", ["224.0.0.0/24", "239.255.255.250/32", "255.255.255.255/32", "ff02::/16"]);
const neighbourSpace = set("neighbour space", ["ff02::/16", "fe80::/10", "224.0.0.0/24"]);
const leaseServers6 = set("lease servers", ["ff02::1:2/128", "fe80::/10"]);

export function wantedOf(policy: Policy, facts: Facts, exit: Exit): Wanted {
  const inner = innerBridges(facts);
  const innerDevices = new Set([...inner, ...portsOf(facts, inner)]);
  const lan = lanPrefixes(policy, facts, inner).filter((l) => policy.lan.allow || inner.has(l.device));
  const lanSet = set(
    "lan",
    lan.map((l) => l.prefix),
  );
  // on-link networks, and gateways: some are reached without being on any of them
  const onLink = set("on link", [
    ...facts.addresses.filter((a) => a.link !== linkName && a.scope !== "host").map((a) => networkOf(a.address)),
    ...facts.routes
      .filter((r) => r.table === mainTable && r.prefix.endsWith("/0"))
      .flatMap((r) => r.legs.flatMap((leg) => (leg.via === null ? [] : [hostPrefix(leg.via)]))),
  ]);
  const inside = set(
    "inside",
    exit.inside.map((a) => hostPrefix(addressOf(a))),
  );
  const outside = set("outside", outsideSources(facts));
  const resolvers = set("resolvers", policy.dns.servers.map(hostPrefix));
  const given = set("given resolvers", exit.dns.map(hostPrefix));
  const endpoint = set("endpoint", [hostPrefix(exit.endpoint.address)]);
  const carried = set("carried", exit.allowedIps);
  const rules = policy.rules.map(ruleQuestions);
  const welcomes = policy.welcome.map((w, i) => ({ ...w, callers: set(`welcome ${i}`, w.from) }));
  const insideFamilies = new Set(exit.inside.map(familyOf));
  if (policy.ipv6 === "block") insideFamilies.delete(6);

  const lane: Wanted["lane"] = (packet) => {
    for (const rule of rules) if (ruleMatches(rule, packet)) return { lane: rule.rule.lane, rule: rule.rule };
    return { lane: policy.mode === "everything" ? "tunnel" : "direct", rule: null };
  };
  const udp = (packet: Packet): boolean => packet.protocol(17, 17);
  const toNode = (packet: Packet): boolean =>
    packet.mark(markMask, marks.engine) && packet.destination(endpoint) && udp(packet);
  const isEngine = (packet: Packet): boolean => toNode(packet) && packet.dport(exit.endpoint.port, exit.endpoint.port);
  // a later fragment whose first was refused is no query to anybody: nothing can be made of it (4.18)
  const isQuery = (packet: Packet): boolean =>
    !packet.flag("later-fragment") &&
    (udp(packet) || packet.protocol(6, 6)) &&
    (packet.dport(53, 53) || packet.dport(853, 853));
  const isWelcome: Wanted["isWelcome"] = (packet, way) =>
    welcomes.some(
      (w) =>
        packet.protocol(w.protocol === "tcp" ? 6 : 17, w.protocol === "tcp" ? 6 : 17) &&
        (way === "in" ? packet.dport(w.port, w.port) : packet.sport(w.port, w.port)) &&
        (w.from.length === 0 || (way === "in" ? packet.source(w.callers) : packet.destination(w.callers))),
    );
  const lanDevices = new Set(lan.map((l) => l.device));
  for (const port of portsOf(facts, lanDevices)) lanDevices.add(port);
  const lanOn = (device: string): boolean => lanDevices.has(device);
  const isLan = (packet: Packet): boolean =>
    !(packet.family === 6 && policy.ipv6 === "block") && packet.destination(lanSet);

  return {
    questions: [
      ...[
        lanSet,
        onLink,
        inside,
        outside,
        resolvers,
        given,
        endpoint,
        carried,
        linkMulticast,
        neighbourSpace,
        leaseServers6,
        broadcast4,
      ],
      ...rules.flatMap((rule) => [rule.source, rule.destination]),
      ...welcomes.map((w) => w.callers),
      ...lan.map((l) => oneOf(l.prefix)),
    ],
    ...{ lane, isQuery, isEngine, isLan, isWelcome, lan, carried },
    isFromNode: (packet) =>
      packet.source(endpoint) && udp(packet) && packet.sport(exit.endpoint.port, exit.endpoint.port),
    isMarkedEngine: (packet) => packet.mark(markMask, marks.engine),
    isResolver: (packet) => packet.destination(policy.dns.servers.length > 0 ? resolvers : given),
    isInside: (side, packet) => packet[side](inside),
    isOutside: (side, packet) => packet[side](outside),
    carries: (packet) => insideFamilies.has(packet.family) && packet.destination(carried),
    beside(packet, device) {
      if (innerDevices.has(device)) return "inner";
      // P6: an inside address names the tunnel's user to whoever sees it outside
      if (packet.carries === "ip" && packet.source(inside)) return null;
      if (packet.carries === "arp") return packet.source(inside) ? null : "neighbours";
      if (packet.carries === "other") return packet.ethertype(etherTypeEapol) ? "neighbours" : null;
      // K: what is source-routed goes elsewhere than it says
      if (packet.family === 4 ? packet.flag("lsrr") || packet.flag("ssrr") : packet.flag("routing-header")) return null;
      // fragments show no port (4.18): mark, address and protocol are what the engine is known by
      if (toNode(packet)) return "engine";
      if (isNeighbours(packet, onLink)) return "neighbours";
      if (isLease(packet, onLink)) return "lease";
      if (isReply(packet)) return "reply";
      const resolver = packet.destination(resolvers);
      // the local network goes before the rules, as its priority does
      if (isLan(packet)) return isQuery(packet) && !resolver ? null : "lan";
      const { lane: to, rule } = lane(packet);
      if (packet.family === 6 && policy.ipv6 === "block") return null;
      // P3: a query leaves beside the tunnel to a resolver that policy names, or where a rule names its port
      if (to === "direct") return !isQuery(packet) || resolver || rule?.match.ports !== undefined ? "direct" : null;
      return policy.lan.allow && lanOn(device) && packet.destination(linkMulticast) && !isQuery(packet) ? "lan" : null;
    },
  };

  /** D1, P6: an answer on a connection that came in, from an outside address, of a service that the policy welcomes. */
  function isReply(packet: Packet): boolean {
    if (welcomes.length === 0 || packet.origin.kind === "frame" || !packet.source(outside)) return false;
    const icmp = packet.family === 4 ? 1 : 58;
    // 6.5: errors about a connection that came in are related, in reply direction
    if (packet.ct(ctStates.relatedReply)) return packet.protocol(icmp, icmp) || isWelcome(packet, "out");
    return packet.ct(ctStates.establishedReply) && isWelcome(packet, "out");
  }
}

/** IEEE 802.1X, which a Wi-Fi or wired port wants before anything else. */
const etherTypeEapol = 0x888e;

/** Neighbour discovery and group membership (RFC 4861, 2710, 3810, 3376): to the link or an on-link neighbour only. */
function isNeighbours(packet: Packet, onLink: PrefixSet): boolean {
  if (packet.family === 4) return packet.protocol(2, 2) && packet.destination(neighbourSpace);
  if (!packet.protocol(58, 58)) return false;
  if (packet.icmpType(131, 132) || packet.icmpType(143, 143)) return packet.destination(neighbourSpace);
  if (!(packet.icmpType(133, 133) || packet.icmpType(135, 136)) || !packet.hops(255)) return false;
  return packet.destination(neighbourSpace) || packet.destination(onLink);
}

/** DHCP (RFC 2131, RFC 8415): to everybody, or renewing with a server on the link. */
function isLease(packet: Packet, onLink: PrefixSet): boolean {
  if (!packet.protocol(17, 17)) return false;
  if (packet.family === 4)
    return (
      packet.sport(68, 68) && packet.dport(67, 67) && (packet.destination(broadcast4) || packet.destination(onLink))
    );
  return packet.sport(546, 546) && packet.dport(547, 547) && packet.destination(leaseServers6);
}

interface RuleQuestions {
  readonly rule: PolicyRule;
  readonly source: PrefixSet;
  readonly destination: PrefixSet;
}

function ruleQuestions(rule: PolicyRule, place: number): RuleQuestions {
  return {
    rule,
    source: set(`rule ${place} source`, rule.match.source ?? []),
    destination: set(`rule ${place} destination`, rule.match.destination ?? []),
  };
}

const protocols = { tcp: [6, 6], udp: [17, 17], icmp: [1, 58] } as const;

function ruleMatches({ rule, source, destination }: RuleQuestions, packet: Packet): boolean {
  const { match, lane } = rule;
  // names are resolved to sets elsewhere; a rule of nothing but names catches no packet here
  if (match.names && !match.destination) return false;
  // an application is known by the mark its sockets got at birth
  if (match.apps && !packet.mark(markMask, marks[lane])) return false;
  if (match.users && !(ownSocket(packet) && match.users.some((uid) => packet.uid(uid, uid)))) return false;
  if (match.source && !packet.source(source)) return false;
  if (match.destination && !packet.destination(destination)) return false;
  if (match.protocol) {
    const number = protocols[match.protocol][packet.family === 4 ? 0 : 1];
    if (!packet.protocol(number, number)) return false;
  }
  return !match.ports || match.ports.some((range) => packet.dport(range.from, range.to));
}

const ownSocket = (packet: Packet): boolean => packet.origin.kind === "socket" && !packet.origin.kernel;

/** ARPHRD_ETHER: what is not Ethernet (other VPNs' devices) is nobody's local network. */
const arphrdEther = 1;
/** Docker's networks are /16, an IPv6 link is a /64 (RFC 4291, 2.5.1): what claims more is oversized (TunnelCrack). */
const shortest = { 4: 16, 6: 64 } as const;

/**
 * On-link prefixes that the local network exception covers: those an address of that very device lies in (what a lease
 * pushes as a route is not, TunnelVision), private ones, or public and oversized ones the user approved (TunnelCrack).
 */
function lanPrefixes(policy: Policy, facts: Facts, inner: ReadonlySet<string>): LanPrefix[] {
  const loopbacks = new Set(facts.links.filter((l) => l.loopback).map((l) => l.name));
  const ethernet = new Set(facts.links.filter((l) => l.type === arphrdEther).map((l) => l.name));
  const own = facts.addresses.map((a) => ({ link: a.link, network: networkOf(a.address) }));
  const found = new Map<string, LanPrefix>();
  for (const route of facts.routes) {
    if (route.table !== mainTable || route.type !== "unicast" || ownRoute(route)) continue;
    const leg = route.legs[0];
    if (leg === undefined || leg.via !== null || loopbacks.has(leg.dev) || route.prefix.endsWith("/0")) continue;
    const { prefix } = route;
    const mine = own.some((a) => a.link === leg.dev && a.network === prefix) && ethernet.has(leg.dev);
    const ordinary = lengthOf(prefix) >= shortest[route.family] && privateSpace.some((space) => covers(space, prefix));
    const allowed = mine && ordinary;
    if (allowed || (policy.lan.allow && !inner.has(leg.dev) && policy.lan.approved.some((a) => covers(a, prefix))))
      found.set(`${leg.dev} ${prefix}`, { device: leg.dev, prefix });
  }
  return [...found.values()];
}

/** IPv4 addresses, IPv6 networks: temporary addresses come and go (7.17). */
function outsideSources(facts: Facts): Prefix[] {
  return facts.addresses
    .filter((a) => a.link !== linkName && a.scope === "global")
    .map((a) => (familyOf(a.address) === 4 ? hostPrefix(addressOf(a.address)) : networkOf(a.address)));
}

/** Bridges of this machine with nothing but virtual ports and no way out: what is on them is a part of the machine. */
export function innerBridges(facts: Facts): Set<string> {
  const virtual = new Set(["veth", "tun", "tap", "dummy", "netkit"]);
  const ways = new Set(
    facts.routes
      .filter((r) => r.table === mainTable && r.prefix.endsWith("/0"))
      .flatMap((r) => r.legs.map((leg) => leg.dev)),
  );
  const bridges = facts.links.filter((l) => l.kind === "bridge" && !ways.has(l.name));
  return new Set(
    bridges.filter((b) => facts.links.every((l) => l.master !== b.index || virtual.has(l.kind))).map((b) => b.name),
  );
}

function portsOf(facts: Facts, bridges: ReadonlySet<string>): string[] {
  const indexes = new Set(facts.links.filter((l) => bridges.has(l.name)).map((l) => l.index));
  return facts.links.filter((l) => indexes.has(l.master)).map((l) => l.name);
}
