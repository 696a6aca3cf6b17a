// The machine as it is, read from the kernel at one moment. Nothing here is remembered: what was read last is thrown
// away when the next reading comes.
import type { Address, Family, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { HeldMark } from "./makers.ts";

export interface Facts {
  readonly links: readonly LinkFact[];
  readonly addresses: readonly AddressFact[];
  /** Every route of every table of both families, table `local` included. */
  readonly routes: readonly RouteFact[];
  readonly rules: readonly RuleFact[];
  readonly nexthops: readonly NexthopFact[];
  /** Name and flags of every nft table; contents only of our own, through the read-back. */
  readonly nftTables: readonly { readonly family: string; readonly name: string; readonly owned: boolean }[];
  /** The sysctls the plan may set, as they are; a key that does not exist is absent. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly resolver: ResolverFact;
  readonly features: KernelFeatures;
  readonly others: readonly OtherVpn[];
  /** Names that were asked, with the addresses they were answered with; absent: none. */
  readonly names?: readonly NameFact[];
  /** Prefix lists that policy names, by their ids; one that is not here was lost and closes what it can (names.ts). */
  readonly lists?: Readonly<Record<string, readonly Prefix[]>>;
  /** Marks that sockets of programs were given since boot; absent: none. */
  readonly heldMarks?: readonly HeldMark[];
  readonly hostName: string;
}

export interface LinkFact {
  readonly index: number;
  readonly name: string;
  /** IFLA_INFO_KIND: tun, veth, bridge, …; empty for a plain device. */
  readonly kind: string;
  /** ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none. */
  readonly type: number;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly loopback: boolean;
  readonly mtu: number;
  readonly mac: string;
  /** Index of the bridge or bond it belongs to, 0 for none. */
  readonly master: number;
  /** An XDP program is attached, or a clsact qdisc is there: known ways past every nft hook (G). */
  readonly xdp: boolean;
  readonly clsact: boolean;
}

export interface AddressFact {
  readonly link: string;
  readonly address: InterfaceAddress;
  readonly scope: "global" | "link" | "host" | "site";
  readonly temporary: boolean;
  readonly deprecated: boolean;
  readonly tentative: boolean;
  /** From a lease or an advertisement: it has a lifetime. */
  readonly dynamic: boolean;
}

export interface RouteFact {
  readonly family: Family;
  readonly table: number;
  readonly prefix: Prefix;
  readonly type:
    "unicast" | "local" | "broadcast" | "anycast" | "multicast" | "unreachable" | "blackhole" | "prohibit" | "throw";
  readonly metric: number;
  /** RTPROT_*: 2 kernel, 3 boot, 4 static, 9 ra, 16 dhcp. This is the provenance. */
  readonly protocol: number;
  readonly scope: number;
  readonly tos: number;
  /** Source prefix of an IPv6 subtree route, else null. */
  readonly from: Prefix | null;
  readonly src: Address | null;
  readonly nexthop: number | null;
  /** One leg for a plain route, several for multipath, none for unreachable and the like. */
  readonly legs: readonly {
    readonly dev: string;
    readonly via: Address | null;
    readonly onlink: boolean;
    readonly weight: number;
    readonly linkdown: boolean;
    readonly dead: boolean;
  }[];
}

export interface RuleFact {
  readonly family: Family;
  readonly priority: number;
  readonly protocol: number;
  readonly not: boolean;
  readonly from: Prefix | null;
  readonly to: Prefix | null;
  readonly iif: string | null;
  readonly oif: string | null;
  readonly mark: { readonly value: number; readonly mask: number } | null;
  readonly uids: { readonly from: number; readonly to: number } | null;
  readonly ipProtocol: number | null;
  readonly sport: { readonly from: number; readonly to: number } | null;
  readonly dport: { readonly from: number; readonly to: number } | null;
  readonly tos: number;
  readonly suppressPrefixLength: number | null;
  readonly action:
    | { readonly kind: "lookup"; readonly table: number }
    | { readonly kind: "goto"; readonly priority: number }
    | { readonly kind: "unreachable" | "blackhole" | "prohibit" | "nop" };
}

export interface NexthopFact {
  readonly id: number;
  readonly family: Family;
  readonly protocol: number;
  readonly blackhole: boolean;
  readonly dev: string | null;
  readonly via: Address | null;
  readonly group: readonly number[];
}

/** How names are asked here, from probes (socket of systemd-resolved, resolvconf on PATH, what resolv.conf is). */
export interface ResolverFact {
  readonly resolvedRunning: boolean;
  readonly resolvconf: "none" | "openresolv" | "debian";
  readonly resolvConf: {
    readonly path: string;
    readonly target: string | null;
    readonly servers: readonly Address[];
    readonly immutable: boolean;
  };
  /** Whom the machine would ask without us, by the link that told of them (null: nobody says); absent: nobody known. */
  readonly ownServers?: readonly { readonly link: string | null; readonly servers: readonly Address[] }[];
  /** Who asks for every program, so that nobody sees whose a question is; absent: nobody. */
  readonly asksForAll?: "nss-resolve" | "nscd";
}

/** A name that was answered: canonical, CNAMEs followed. Only addresses that a rule by name may mean. */
export interface NameFact {
  readonly name: string;
  readonly addresses: readonly Address[];
}

export interface KernelFeatures {
  readonly ipv6: boolean;
  /** Switched off for new links (net.ipv6.conf.default.disable_ipv6), so for culvert0; others may have it all the same. */
  readonly ipv6Off?: boolean;
  readonly tun: boolean;
  readonly nft: boolean;
  /** nft table flags owner and persist */
  readonly owner: boolean;
  /** egress chain for the empty device prefix */
  readonly devicePrefix: boolean;
  /** Queries of programs can be led to our own resolver (nft nat, redirect); absent: no. */
  readonly redirects?: boolean;
  /** The version of the nft command; absent: there is none, or it does not say. */
  readonly nftTool?: string;
  readonly nexthops: boolean;
  /**
   * How sockets of programs get their mark at birth: bpf: tracepoints and cgroup/sock_create at the root cgroup; cgroup: a
   * cgroup of our own, which is weaker; none: not at all, and a rule by program is refused.
   */
  readonly appMarks: "bpf" | "cgroup" | "none";
}

/** A connection over which somebody works on this machine from afar. */
export interface SessionFact {
  readonly from: Address;
  readonly fromPort: number;
  /** The address and port of this machine. */
  readonly at: Address;
  readonly port: number;
}

/** Another VPN found up, by the collision map: link, mark, table or rule that gives it away. */
export interface OtherVpn {
  readonly name: string;
  readonly evidence: string;
  /** It takes the whole mark or the catch-all: both cannot be up. */
  readonly excludes: boolean;
  /** The command that ends it. */
  readonly remedy?: string;
}
