// What the policy wants of a packet: the specification that plans are held against. Made from policy, facts and exit
// alone, by reading them once more; how the plan was made is not known here, and must not be.
import { addressOf, covers, familyOf, hostPrefix, lengthOf, networkOf, type Prefix } from "../contract/prefix.ts";
import type { Lane, Policy, PolicyRule } from "../contract/policy.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { bindNames, namedServers } from "../plan/names.ts";
import type { PlanApps } from "../plan/plan.ts";
import { linkName, markMask, marks } from "../plan/numbers.ts";
import { broadcast4, oneOf } from "./fib.ts";
import { mainTable, ownRoute } from "./machine.ts";
import { nameWish, type NameWish } from "./name-wish.ts";
import { ctStates, type Packet, type PrefixSet } from "./packet.ts";
import { isBlind, isNarrow, marksOf, ruleMatches, ruleQuestions, saysOfLan, type RuleQuestions } from "./rule-wish.ts";
import { set } from "./rule-wish.ts";

/** Why a packet may leave by something else than the tunnel. */
export type Reason = "inner" | "engine" | "neighbours" | "lease" | "lan" | "direct" | "reply";

export interface Wanted {
  /** Everything that is asked of an address here, for the classes. */
  readonly questions: readonly PrefixSet[];
  /** null: it must not leave by this device. */
  beside(packet: Packet, device: string): Reason | null;
  /**
   * Where the policy wants it: its first matching rule, else the mode; in the local network only what a rule says of it in
   * so many words. `sourceKnown` false: no source was chosen, and a rule by source means nobody (3.13). Of many packets the
   * rule is one like theirs: of the same lane, by source or ports or not.
   */
  lane(packet: Packet, sourceKnown?: boolean): { readonly lane: Lane; readonly rule: PolicyRule | null };
  /** The marks of sockets that rules tell apart, and 0. */
  readonly marks: readonly number[];
  /** What the marks of the plan confuse: programs of different rules under one mark, or a rule's program under none. */
  readonly confused: string | null;
  /** A query by DNS or DNS over TLS, to wherever. */
  isQuery(packet: Packet): boolean;
  /** For the local network, and no rule says otherwise. */
  isLan(packet: Packet): boolean;
  isEngine(packet: Packet): boolean;
  /** What the node sends back, as far as its addresses say. */
  isFromNode(packet: Packet): boolean;
  /** The engine's packets, whoever they go to: what P2 keeps out of the tunnel. */
  isMarkedEngine(packet: Packet): boolean;
  /** For a resolver that may be asked through the tunnel: those policy names, else those the node names; "only": any. */
  isResolver(packet: Packet): boolean;
  isInside(side: "source" | "destination", packet: Packet): boolean;
  isOutside(side: "source" | "destination", packet: Packet): boolean;
  isWelcome(packet: Packet, way: "in" | "out"): boolean;
  /** Programs whose names go another lane than the machine's. */
  readonly names: NameWish;
  readonly lan: readonly LanPrefix[];
  /** What the tunnel carries: of these families, and of these the node's own list. */
  carries(packet: Packet): boolean;
  readonly carried: PrefixSet;
}

export interface LanPrefix {
  readonly device: string;
  readonly prefix: Prefix;
}

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

export function wantedOf(wish: Policy, facts: Facts, exit: Exit, apps: PlanApps | null): Wanted {
  const policy = bindNames(wish, facts);
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
  const resolvers = set("resolvers", namedServers(policy).map(hostPrefix));
  const given = set("given resolvers", exit.dns.map(hostPrefix));
  const endpoint = set("endpoint", [hostPrefix(exit.endpoint.address)]);
  const carried = set("carried", exit.allowedIps);
  const told = marksOf(policy, apps);
  const names = nameWish(policy, facts, apps, told.ofRule);
  const namesBeside = names.lanes.size === 0 ? undefined : asOne((packet) => names.laneOf(packet) !== null);
  const asksBeside = names.lanes.size === 0 ? undefined : asOne(names.isAsking);
  const rules = policy.rules.map((rule, place) => ruleQuestions(rule, place, lanSet, told.ofRule[place] ?? [], inside));
  const only = policy.mode === "only";
  // mode "only" leaves names to the machine until policy names who is asked
  const judgesNames = !only || policy.dns.servers.length > 0;
  const asksGiven = policy.dns.servers.length === 0 && !only;
  const welcomes = policy.welcome.map((w, i) => ({ ...w, callers: set(`welcome ${i}`, w.from) }));
  const insideFamilies = new Set(exit.inside.map(familyOf));
  if (policy.ipv6 === "block" || facts.features.ipv6Off === true) insideFamilies.delete(6);

  const near = inOrder(
    rules,
    (rule, packet, sourceKnown) => saysOfLan(rule, packet) && ruleMatches(rule, packet, sourceKnown, rule.destination),
  );
  const nearBlind = inOrder(
    rules,
    (rule, packet, sourceKnown) =>
      saysOfLan(rule, packet) && ruleMatches(rule, packet, sourceKnown, rule.destination) && !isBlind(rule, packet),
  );
  const far = inOrder(rules, (rule, packet, sourceKnown) => ruleMatches(rule, packet, sourceKnown, rule.destination));
  const farBlind = inOrder(
    rules,
    (rule, packet, sourceKnown) => ruleMatches(rule, packet, sourceKnown, rule.destination) && !isBlind(rule, packet),
  );
  const lane: Wanted["lane"] = (packet, sourceKnown = true) => laneFor(packet, sourceKnown, false);
  const laneFor = (packet: Packet, sourceKnown: boolean, blind: boolean): ReturnType<Wanted["lane"]> => {
    const asked = isAsked(packet);
    if (!asked && packet.destination(lanSet)) {
      const found = (blind ? nearBlind : near)(packet, sourceKnown);
      if (found !== undefined) return { lane: found.rule.lane, rule: found.rule };
    }
    const found = (blind ? farBlind : far)(packet, sourceKnown);
    // the node's resolver is asked through the tunnel, whatever rules say of its address; who is blocked asks nobody
    if (found !== undefined && asked && !isNarrow(found.rule)) return { lane: "tunnel", rule: found.rule };
    if (found !== undefined) return { lane: found.rule.lane, rule: found.rule };
    return { lane: only ? "direct" : "tunnel", rule: null };
  };
  const isAsked = asOne(
    (packet) => asksGiven && isQuery(packet) && packet.destination(given) && !packet.destination(resolvers),
  );
  const udp = (packet: Packet): boolean => packet.protocol(17, 17);
  const toNode = asOne((packet) => packet.mark(markMask, marks.engine) && packet.destination(endpoint) && udp(packet));
  const isEngine = asOne((packet) => toNode(packet) && packet.dport(exit.endpoint.port, exit.endpoint.port));
  // a later fragment whose first was refused is no query to anybody: nothing can be made of it (4.18)
  const isQuery = asOne(
    (packet) =>
      !packet.flag("later-fragment") &&
      (udp(packet) || packet.protocol(6, 6)) &&
      (packet.dport(53, 53) || packet.dport(853, 853)),
  );
  const isWelcome: Wanted["isWelcome"] = (packet, way) =>
    welcomes.some(
      (w) =>
        packet.protocol(w.protocol === "tcp" ? 6 : 17, w.protocol === "tcp" ? 6 : 17) &&
        (way === "in" ? packet.dport(w.port, w.port) : packet.sport(w.port, w.port)) &&
        (w.from.length === 0 || (way === "in" ? packet.source(w.callers) : packet.destination(w.callers))),
    );
  const isOfNeighbours = asOne((packet) => isNeighbours(packet, onLink));
  const isOfLease = asOne((packet) => isLease(packet, onLink));
  const lanDevices = new Set(lan.map((l) => l.device));
  for (const port of portsOf(facts, lanDevices)) lanDevices.add(port);
  const lanOn = (device: string): boolean => lanDevices.has(device);
  const isLanBy = (packet: Packet, by: typeof near): boolean => {
    if ((packet.family === 6 && policy.ipv6 === "block") || !packet.destination(lanSet)) return false;
    return (by(packet, true)?.rule.lane ?? "direct") === "direct";
  };
  const isLan = asOne((packet) => isLanBy(packet, near));
  const mayBeLan = asOne((packet) => isLanBy(packet, nearBlind));
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
      ...rules.flatMap((rule) => [rule.source, rule.destination, rule.near]),
      ...welcomes.map((w) => w.callers),
      ...lan.map((l) => oneOf(l.prefix)),
      ...(names.lanes.size === 0 ? [] : names.questions),
    ],
    ...{ lane, isQuery, isEngine, isLan, isWelcome, lan, carried, names },
    ...{ marks: told.marks, confused: told.confused },
    isFromNode: (packet) =>
      packet.source(endpoint) && udp(packet) && packet.sport(exit.endpoint.port, exit.endpoint.port),
    isMarkedEngine: (packet) => packet.mark(markMask, marks.engine),
    isResolver: (packet) =>
      !judgesNames || packet.destination(resolvers) || (policy.dns.servers.length === 0 && packet.destination(given)),
    isInside: (side, packet) => packet[side](inside),
    isOutside: (side, packet) => packet[side](outside),
    carries: (packet) => insideFamilies.has(packet.family) && packet.destination(carried),
    beside(packet, device) {
      if (innerDevices.has(device)) return "inner";
      // P6: an inside address names the tunnel's user to whoever sees it outside
      if (packet.carries === "ip" && packet.source(inside)) return null;
      if (packet.carries === "arp") return packet.source(inside) ? null : "neighbours";
      if (packet.carries === "other") return only || packet.ethertype(etherTypeEapol) ? "neighbours" : null;
      // K: what is source-routed goes elsewhere than it says
      if (packet.family === 4 ? packet.flag("lsrr") || packet.flag("ssrr") : packet.flag("routing-header")) return null;
      // they are led to us, or refused; what we ask in their stead goes to whom the lane names
      if (namesBeside?.(packet) === true) return null;
      if (asksBeside?.(packet) === true) return "direct";
      // fragments show no port (4.18): mark, address and protocol are what the engine is known by
      if (toNode(packet)) return "engine";
      if (isOfNeighbours(packet)) return "neighbours";
      if (isOfLease(packet)) return "lease";
      if (isReply(packet)) return "reply";
      const resolver = packet.destination(resolvers);
      // the local network goes before the rules, as its priority does
      const asks = judgesNames && isQuery(packet);
      if (mayBeLan(packet)) return asks && !resolver ? null : "lan";
      const { lane: to, rule } = laneFor(packet, true, true);
      if (packet.family === 6 && policy.ipv6 === "block") return null;
      // P3: a query leaves beside the tunnel to a resolver that policy names, or where a rule names its port
      if (to === "direct") return !asks || resolver || rule?.match.ports !== undefined ? "direct" : null;
      // a rule sends it elsewhere, but the devices of a local network must be found
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

/** Many questions as one: which of them said no decides nothing. What is asked of the origin is its kind. */
function asOne(of: (packet: Packet) => boolean): (packet: Packet) => boolean {
  const part = { born: "kind" } as const;
  return (packet) => packet.summed(part, of);
}

/** The first of the rules that `holds` of a packet, with its source or before it has one. */
function inOrder(
  rules: readonly RuleQuestions[],
  holds: (rule: RuleQuestions, packet: Packet, sourceKnown: boolean) => boolean,
): (packet: Packet, sourceKnown: boolean) => RuleQuestions | undefined {
  const parts = [false, true].map((sourceKnown) => rules.map((rule) => ({ born: "kind", rule, sourceKnown }) as const));
  return (packet, sourceKnown) =>
    packet.firstOf(
      parts[sourceKnown ? 1 : 0] ?? [],
      (part, asked) => (holds(part.rule, asked, part.sourceKnown) ? part.rule : undefined),
      sortOf,
    );
}

/** Rules that differ in nothing which is asked of the one that was found are one answer. */
function sortOf({ rule }: RuleQuestions): string {
  const { source, ports } = rule.match;
  return `${rule.lane} ${source === undefined} ${ports === undefined} ${isNarrow(rule)}`;
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
