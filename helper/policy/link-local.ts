// What a link itself needs so that there is a network at all: neighbour discovery, router advertisements, DHCP, ARP.
// Each line names addresses, ports or ICMP types and the hop limit that keeps it on the link (RFC 4861: 255). None of it
// asks conntrack, which leaves neighbour discovery untracked (6.18).
import { addressOf, covers, familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Prefix } from "../contract/prefix.ts";
import type { NftRule } from "../plan/nft.ts";
import type { Ground } from "./ground.ts";
import { accept, daddr, hops, icmp6, known, ports, saddr, udp } from "./nft-words.ts";
import type { OutsideLink } from "./uplinks.ts";

const linkLocal = known("fe80::/10");
const solicitedNode = known("ff02::1:ff00:0/104");
const allNodes = known("ff02::1/128");
const allRouters = known("ff02::2/128");
const broadcast = known("255.255.255.255/32");
export const noAddress = known("0.0.0.0/32");
/** All_DHCP_Relay_Agents_and_Servers, RFC 8415 7.1 */
const dhcpServers = known("ff02::1:2/128");
/** RFC 4861: 133 router solicitation, 134 advertisement, 135 neighbour solicitation, 136 advertisement */
const [rs, ra, ns, na] = [133, 134, 135, 136];

export const neighboursIn: readonly NftRule[] = [
  accept("ND: router advertisements", saddr(linkLocal), icmp6(ra), hops(6, 255)),
  accept("ND: neighbours", icmp6(ns, na), hops(6, 255)),
];

export function neighboursOut(links: readonly OutsideLink[]): readonly NftRule[] {
  const gateways = unique(links.flatMap((link) => link.gateways))
    .filter((g) => familyOf(g) === 6)
    .map(hostPrefix)
    .filter((g) => !g.startsWith("fe80"));
  return [
    accept("ND: router solicitation", daddr(allRouters), icmp6(rs), hops(6, 255)),
    accept("ND: who has", daddr(solicitedNode), icmp6(ns), hops(6, 255)),
    accept("ND: neighbours on the link", daddr(linkLocal), icmp6(ns, na), hops(6, 255)),
    accept("ND: unsolicited and to the unspecified", daddr(allNodes), icmp6(na), hops(6, 255)),
    ...gateways.map((g) => accept("ND: a gateway with a global address", daddr(g), icmp6(ns, na), hops(6, 255))),
  ];
}

export const dhcpIn: readonly NftRule[] = [
  accept("DHCPv4: a server's answer (RFC 2131)", ...ports(udp, { from: 67, to: 68 })),
  accept(
    "DHCPv6: a server's answer (RFC 8415)",
    saddr(linkLocal),
    daddr(linkLocal),
    ...ports(udp, { from: 547, to: 546 }),
  ),
];

/** A lease renews by unicast only from the gateway; from any other server it renews by broadcast at T2. */
export function dhcpOut(links: readonly OutsideLink[]): readonly NftRule[] {
  const outside = links.filter((link) => !link.inner);
  const gateways = unique(outside.flatMap((link) => link.gateways)).filter((g) => familyOf(g) === 4);
  const asking = ports(udp, { from: 68, to: 67 });
  const giving = ports(udp, { from: 67, to: 68 });
  return [
    ...(outside.length > 0 ? [accept("DHCPv4: asking (RFC 2131)", daddr(broadcast), ...asking)] : []),
    ...gateways.map((g) => accept("DHCPv4: renewing with the gateway", daddr(hostPrefix(g)), ...asking)),
    ...(outside.length > 0
      ? [
          accept(
            "DHCPv6: asking (RFC 8415)",
            saddr(linkLocal),
            daddr(dhcpServers),
            ...ports(udp, { from: 546, to: 547 }),
          ),
          accept("DHCPv6: renewing", saddr(linkLocal), daddr(linkLocal), ...ports(udp, { from: 546, to: 547 })),
        ]
      : []),
    ...links
      .filter((link) => link.inner)
      .map((link) =>
        accept("DHCPv4: for virtual machines", { kind: "oifname", name: link.name }, daddr(broadcast), ...giving),
      ),
  ];
}

/** Senders that ARP may name on a link: its own addresses, and none while one is probed for (RFC 5227). */
export function arpSenders(link: OutsideLink): readonly Prefix[] {
  return [noAddress, ...link.addresses.filter((a) => familyOf(a) === 4).map(hostPrefix)];
}

/**
 * Whom ARP may ask for with an own address: neighbours. A socket bound to the link makes every address of the world a
 * neighbour (kernel/README B), and asking for it tells it to the whole link. Null: everybody, where a default route or a
 * prefix of the user's choice has no gateway, so that the world is on the link.
 */
export function arpTargets(ground: Ground, link: OutsideLink): readonly Prefix[] | null {
  if (ground.ways.some((way) => way.dev === link.name && way.family === 4 && way.via === null)) return null;
  const approved = ground.lan.filter((l) => l.link === link.name).map((l) => l.prefix);
  const gateways = link.gateways.map(hostPrefix);
  const near = [...link.onLink, ...link.neighbours, ...approved, ...gateways];
  // an own address announces itself (RFC 5227) also where it is alone in its prefix
  const alone = link.addresses.map(hostPrefix).filter((own) => !near.some((prefix) => covers(prefix, own)));
  return unique([...near, ...alone].filter((p) => familyOf(p) === 4));
}

/** DHCP's source before there is an address. */
export const unconfigured: readonly Address[] = [addressOf(noAddress)];

function unique<T>(values: readonly T[]): readonly T[] {
  return [...new Set(values)];
}
