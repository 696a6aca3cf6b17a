// Lines that both locks have, each for its own table: source routing, names, discovery. Those of rules: gate-lanes.ts.
import { familyOf } from "../contract/prefix.ts";
import type { NftMatch, NftRule } from "../plan/nft.ts";
import { dnsPorts } from "./dns.ts";
import type { Ground } from "./ground.ts";
import { daddr, drop, icmp6, known, ports, protocol, udp } from "./nft-words.ts";
import type { OutsideLink } from "./uplinks.ts";

/** Chains of the outside links, the same names in both tables. */
export function linkChain(place: number): string {
  return `link${place}`;
}

const routingHeader = drop("source routed: routing header", { kind: "routing-header" });
/** Source routing shows every other line the first hop as the destination (K). Before all else, on both ways. */
export const sourceRouted: readonly NftRule[] = [
  drop("source routed: loose", { kind: "ip-option", option: "lsrr" }),
  drop("source routed: strict", { kind: "ip-option", option: "ssrr" }),
  routingHeader,
];

/**
 * The same in lock 3, where `ip option` does not match: nft_exthdr_ipv4_eval reads from the start of the packet, which at
 * egress is the Ethernet header (tried on 6.18). The header's length in words shows them: a source route with one address
 * takes seven bytes and so two words (RFC 791, 3.1); IGMP's router alert takes one (RFC 2113) and passes.
 */
export const sourceRouted3: readonly NftRule[] = [
  drop("source routed: options longer than a word", { kind: "hdrlength", above: 6 }),
  routingHeader,
];

export const dnsMatches: readonly (readonly NftMatch[])[] = dnsPorts.map(({ protocol, port }) =>
  ports(protocol, { to: port }),
);

/** What a network needs besides its own prefixes so that devices on it are found; nothing else of multicast leaves. */
export const discovery: readonly { readonly note: string; readonly matches: readonly NftMatch[] }[] = [
  { note: "LAN: mDNS (RFC 6762)", matches: [daddr(known("224.0.0.251/32")), ...ports(udp, { to: 5353 })] },
  { note: "LAN: mDNS (RFC 6762)", matches: [daddr(known("ff02::fb/128")), ...ports(udp, { to: 5353 })] },
  { note: "LAN: SSDP (UPnP 2.0, 1.3.2)", matches: [daddr(known("239.255.255.250/32")), ...ports(udp, { to: 1900 })] },
  { note: "LAN: SSDP (UPnP 2.0, A.1)", matches: [daddr(known("ff02::c/128")), ...ports(udp, { to: 1900 })] },
  {
    note: "LAN: IGMPv3 reports (RFC 3376)",
    matches: [daddr(known("224.0.0.22/32")), protocol(2)],
  },
  {
    note: "LAN: MLDv2 reports (RFC 3810)",
    matches: [daddr(known("ff02::16/128")), icmp6(143)],
  },
];

/** Discovery of the families in which this link has an honoured prefix. */
export function discoveryOf(ground: Ground, link: OutsideLink): typeof discovery {
  const has = new Set(ground.lan.filter((l) => l.link === link.name).map((l) => familyOf(l.prefix)));
  return discovery.filter(({ matches }) =>
    matches.some((match) => match.kind === "daddr" && has.has(familyOf(match.prefix))),
  );
}
