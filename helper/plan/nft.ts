// An nftables ruleset as a value: what the gate is, what the printer prints as `nft` text, what the addon encodes for
// nfnetlink, and what the model walks. Only what Culvert's gate needs can be said; each match is one `nft` expression.
import type { Family, Prefix } from "../contract/prefix.ts";

export interface NftTable {
  readonly family: "inet" | "netdev";
  readonly name: string;
  /** owner and persist, where the kernel has them (5.1-5.21): asked for together or not at all. */
  readonly owned: boolean;
  readonly sets: readonly NftSet[];
  readonly chains: readonly NftChain[];
}

export interface NftSet {
  readonly name: string;
  readonly type: "ipv4_addr" | "ipv6_addr";
  /** Prefixes; the set is an interval set. Sorted, merged, no overlaps. */
  readonly elements: readonly Prefix[];
}

export interface NftChain {
  readonly name: string;
  /** null: a chain that is jumped to. */
  readonly base: null | {
    /** nat: who is led elsewhere; only the first packet of a connection meets it. */
    readonly type: "filter" | "route" | "nat";
    readonly hook: "prerouting" | "input" | "forward" | "output" | "postrouting" | "egress";
    readonly priority: number;
    readonly policy: "accept" | "drop";
    /** egress only: every device (the empty prefix, F), or devices by name where the kernel is older. */
    readonly devices?: { readonly kind: "all" } | { readonly kind: "names"; readonly names: readonly string[] };
  };
  readonly rules: readonly NftRule[];
}

export interface NftRule {
  /** Which packets reach this rule and why it is there; printed as a comment. At most 120 bytes. */
  readonly note: string;
  readonly matches: readonly NftMatch[];
  readonly counter: boolean;
  readonly verdict: NftVerdict;
}

export type NftMatch =
  /** `iifname "x"`, `oifname != "x"`; a name ending in `*` is a prefix. */
  | { readonly kind: "iifname" | "oifname"; readonly not?: boolean; readonly name: string }
  /** `meta mark & mask == value` */
  | { readonly kind: "mark"; readonly not?: boolean; readonly mask: number; readonly value: number }
  /** `ip saddr 192.0.2.0/24`, `ip6 daddr …`; implies the family. */
  | { readonly kind: "saddr" | "daddr"; readonly not?: boolean; readonly prefix: Prefix }
  /** `ip daddr @set` */
  | { readonly kind: "saddr-set" | "daddr-set"; readonly not?: boolean; readonly family: Family; readonly set: string }
  /** `meta nfproto ipv4` in inet, `meta protocol ip` in netdev */
  | { readonly kind: "family"; readonly family: Family }
  /** `meta protocol 0x0806`: the Ethernet type, netdev only */
  | { readonly kind: "ethertype"; readonly type: number }
  /** `arp daddr ip` / `arp saddr ip`: netdev only, after an ethertype match of 0x0806 */
  | { readonly kind: "arp-saddr" | "arp-daddr"; readonly not?: boolean; readonly prefix: Prefix }
  /** `meta l4proto 17` (sees through extension headers, 7.20) */
  | { readonly kind: "protocol"; readonly protocol: number }
  /** `th sport`, `th dport`; after a protocol match; inclusive */
  | { readonly kind: "sport" | "dport"; readonly from: number; readonly to: number }
  /** `icmp type` or `icmpv6 type`; implies the protocol */
  | { readonly kind: "icmp-type"; readonly family: Family; readonly types: readonly number[] }
  /** `ip ttl` / `ip6 hoplimit` */
  | { readonly kind: "hops"; readonly family: Family; readonly value: number }
  /** `ct state established,related`; inet only */
  | {
      readonly kind: "ct-state";
      readonly states: readonly ("new" | "established" | "related" | "invalid" | "untracked")[];
    }
  /** `ct direction reply`; inet only */
  | { readonly kind: "ct-direction"; readonly direction: "original" | "reply" }
  /** `ip option lsrr exists`, `ip option ssrr exists`; never matches in netdev egress (Linux 6.18) */
  | { readonly kind: "ip-option"; readonly option: "lsrr" | "ssrr" }
  /** `exthdr rt exists` */
  | { readonly kind: "routing-header" }
  /** `ip hdrlength > 6`, in words of 32 bits: an IPv4 header with more than a word of options, whichever */
  | { readonly kind: "hdrlength"; readonly above: 6 }
  /** `fib daddr type local`: the destination is an address of this machine; inet only */
  | { readonly kind: "fib-daddr-type"; readonly not?: boolean; readonly type: "local" | "broadcast" | "multicast" }
  /** `meta skuid 0`: owner of the socket */
  | { readonly kind: "skuid"; readonly from: number; readonly to: number };

export type NftVerdict =
  | { readonly kind: "accept" }
  | { readonly kind: "drop" }
  /** `meta mark set meta mark & ~mask | value`, goes on to the next rule */
  | { readonly kind: "set-mark"; readonly mask: number; readonly value: number }
  /** ICMP administratively prohibited, or a TCP reset; inet only */
  | { readonly kind: "reject" }
  /** To this machine's own loopback address at this port, and the same for all of the connection; nat chains only */
  | { readonly kind: "redirect"; readonly port: number }
  | { readonly kind: "jump"; readonly chain: string }
  | { readonly kind: "return" };
