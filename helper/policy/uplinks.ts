// What the machine has besides the tunnel, read out of the facts: links to the outside, their addresses and gateways,
// and which of the networks that claim to be on-link are honoured.
//
// Only the network of an address that the link itself has counts as on-link. A route that a lease or an advertisement
// pushed (DHCP option 121, route information) never does: TunnelVision. A network that is public or larger than any
// home's, or a route somebody laid onto the link, is honoured only where the user approved it: TunnelCrack.
import type { Policy } from "../contract/policy.ts";
import { addressOf, covers, familyOf, hostPrefix, lengthOf, networkOf, parsePrefix } from "../contract/prefix.ts";
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import type { Uplink } from "../contract/status.ts";
import type { Facts, LinkFact, RouteFact } from "../plan/facts.ts";
import { linkName } from "../plan/numbers.ts";

/** A default route of main, one leg of it. */
export interface Way {
  readonly family: Family;
  readonly dev: string;
  readonly via: Address | null;
}

/** A link other than the tunnel that packets could leave by; also one that has no address yet and must ask for it. */
export interface OutsideLink {
  readonly name: string;
  /** The link and the ports beneath it (bond, bridge): a frame passes the egress hook of each. */
  readonly devices: readonly string[];
  readonly ethernet: boolean;
  readonly mtu: number;
  /** A bridge with nothing but virtual ports and no way out: containers and virtual machines. */
  readonly inner: boolean;
  readonly addresses: readonly Address[];
  /** What packets from here carry as source: IPv4 addresses, IPv6 prefixes (temporary addresses change, 7.17). */
  readonly sources: readonly Prefix[];
  /** The networks of its own addresses, as far as main has them, best metric first. */
  readonly onLink: readonly Prefix[];
  /** What other routes of main lay onto the link without a gateway. */
  readonly laid: readonly Prefix[];
  /** Of these, what is no larger than a link can be: who lies there is reached without a gateway. */
  readonly neighbours: readonly Prefix[];
  readonly gateways: readonly Address[];
}

export interface LanPrefix {
  readonly link: string;
  readonly prefix: Prefix;
  /** Behind a bridge of this machine: not a network but a part of the machine; allowed also when the LAN is not. */
  readonly inner: boolean;
}

/** Default routes of main, the best of each family first: carrier before none, then the metric. */
export function waysOf(facts: Facts): readonly Way[] {
  const carrier = new Map(facts.links.map((l) => [l.name, l.carrier]));
  return facts.routes
    .filter((r) => r.table === mainTable && r.type === "unicast" && r.from === null && lengthOf(r.prefix) === 0)
    .flatMap((r) => r.legs.filter((leg) => !leg.dead).map((leg) => ({ route: r, leg })))
    .filter(({ leg }) => leg.dev !== linkName && leg.dev !== "lo")
    .map(({ route, leg }) => ({ route, leg, live: carrier.get(leg.dev) === true && !leg.linkdown }))
    .sort((a, b) => Number(b.live) - Number(a.live) || a.route.metric - b.route.metric)
    .map(({ route, leg }) => ({ family: route.family, dev: leg.dev, via: leg.via }));
}

export function outsideLinksOf(facts: Facts, ways: readonly Way[] = waysOf(facts)): readonly OutsideLink[] {
  const place = new Map<string, number>();
  for (const way of ways) if (!place.has(way.dev)) place.set(way.dev, place.size);
  return facts.links
    .filter((link) => !link.loopback && link.name !== linkName && link.up && plainName.test(link.name))
    .filter((link) => place.has(link.name) || isOwn(facts, link))
    .sort((a, b) => (place.get(a.name) ?? place.size) - (place.get(b.name) ?? place.size) || a.index - b.index)
    .map((link) => outsideLink(facts, link, ways));
}

/** The links with a default route, as a status shows them; `lan` is what policy honours on them. */
export function uplinksOf(facts: Facts, policy?: Pick<Policy, "lan" | "ipv6">): Uplink[] {
  const ways = waysOf(facts);
  const lan = lanOf(policy ?? { lan: { allow: true, approved: [] }, ipv6: "carry" }, facts);
  return outsideLinksOf(facts, ways)
    .filter((link) => ways.some((way) => way.dev === link.name))
    .map((link) => ({
      name: link.name,
      addresses: [...link.addresses],
      gateways: [...link.gateways],
      lan: lan.filter((l) => l.link === link.name && !l.inner).map((l) => l.prefix),
    }));
}

/** The on-link prefixes that policy honours, on their links; the order among links that share one is main's. */
export function lanOf(
  policy: Pick<Policy, "lan" | "ipv6">,
  facts: Facts,
  links: readonly OutsideLink[] = outsideLinksOf(facts),
): readonly LanPrefix[] {
  return links.flatMap((link) =>
    [...link.onLink, ...link.laid]
      .filter((prefix) => familyOf(prefix) === 4 || policy.ipv6 !== "block")
      .filter((prefix) => isHonoured(policy, link, prefix))
      .map((prefix) => ({ link: link.name, prefix, inner: link.inner })),
  );
}

/** On-link claims that wait for the user's approval: public or oversized. */
export function unapprovedOf(policy: Policy, links: readonly OutsideLink[]): readonly LanPrefix[] {
  if (!policy.lan.allow) return [];
  return links.flatMap((link) =>
    link.onLink
      .filter((prefix) => !isHonoured(policy, link, prefix))
      .map((prefix) => ({ link: link.name, prefix, inner: link.inner })),
  );
}

const mainTable = 254;
/** A name like `eth*` would say more in nft than one link; who names a link so gets nothing through it. */
const plainName = /^[\w.@-]+$/;
/** Virtual ports: what hangs on them is on this machine. Kinds as in IFLA_INFO_KIND. */
const virtualKinds = new Set(["veth", "tun", "tap", "dummy", "netkit"]);
/** RFC 1918, RFC 3927; RFC 4193, RFC 4291 (link-local). 100.64.0.0/10 belongs to providers (RFC 6598). */
const privatePrefixes = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"]
  .map((text) => parsePrefix(text))
  .filter((prefix) => prefix !== undefined);
/** A /16 is Docker's and 192.168's own size; an IPv6 link is a /64 (RFC 4291, 2.5.1). Shorter ones are oversized. */
const shortest = { 4: 16, 6: 64 } as const;

function isOrdinarySize(prefix: Prefix): boolean {
  return lengthOf(prefix) >= shortest[familyOf(prefix)];
}

function isHonoured(policy: Pick<Policy, "lan">, link: OutsideLink, prefix: Prefix): boolean {
  const ordinary =
    link.ethernet &&
    isOrdinarySize(prefix) &&
    link.onLink.includes(prefix) &&
    privatePrefixes.some((outer) => covers(outer, prefix));
  if (link.inner) return ordinary;
  return policy.lan.allow && (ordinary || policy.lan.approved.some((approved) => covers(approved, prefix)));
}

/** Ports of a bridge or bond carry nothing of their own; the link above them does. */
function isOwn(facts: Facts, link: LinkFact): boolean {
  const addresses = facts.addresses.filter((a) => a.link === link.name);
  if (link.master !== 0) return addresses.some((a) => a.scope === "global");
  return link.type === ethernet || addresses.length > 0;
}

function outsideLink(facts: Facts, link: LinkFact, ways: readonly Way[]): OutsideLink {
  const own = facts.addresses.filter((a) => a.link === link.name && a.scope !== "host");
  const devices = devicesOf(facts, link, ways);
  const hasWay = ways.some((way) => way.dev === link.name);
  const ports = facts.links.filter((l) => l.master === link.index);
  const networks = new Set(own.map((a) => networkOf(a.address)));
  const gatewayless = unique(
    facts.routes
      .filter((r) => isWithoutGateway(r, link.name))
      .sort((a, b) => a.family - b.family || a.metric - b.metric)
      .map((r) => r.prefix),
  );
  const onLink = gatewayless.filter((prefix) => networks.has(prefix));
  return {
    name: link.name,
    devices,
    ethernet: link.type === ethernet,
    mtu: link.mtu,
    inner: link.kind === "bridge" && !hasWay && ports.every((port) => virtualKinds.has(port.kind)),
    addresses: own.map((a) => addressOf(a.address)),
    sources: unique(
      own
        .filter((a) => a.scope !== "link")
        .map((a) => (familyOf(a.address) === 4 ? hostPrefix(addressOf(a.address)) : networkOf(a.address))),
    ),
    onLink,
    laid: gatewayless.filter((prefix) => !networks.has(prefix)),
    neighbours: onLink.filter(isOrdinarySize),
    gateways: unique(ways.filter((way) => way.dev === link.name).flatMap((way) => (way.via === null ? [] : [way.via]))),
  };
}

/** ARPHRD_ETHER: Ethernet, Wi-Fi, bridges, veth. Other VPNs' devices are of other types and are nobody's LAN. */
const ethernet = 1;

function isWithoutGateway(route: RouteFact, dev: string): boolean {
  const [leg] = route.legs;
  return (
    route.table === mainTable &&
    route.type === "unicast" &&
    route.nexthop === null &&
    route.legs.length === 1 &&
    leg?.dev === dev &&
    leg.via === null &&
    lengthOf(route.prefix) > 0 &&
    !route.prefix.startsWith("ff")
  );
}

/** A port that is used as a link of its own is judged as one. */
function devicesOf(facts: Facts, link: LinkFact, ways: readonly Way[]): readonly string[] {
  const beneath = facts.links
    .filter((l) => l.master === link.index && plainName.test(l.name))
    .filter((l) => !isOwn(facts, l) && !ways.some((way) => way.dev === l.name));
  return [link.name, ...beneath.flatMap((port) => devicesOf(facts, port, ways))];
}

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
