// Every number Culvert takes on a machine, in one place. Chosen against the collision map of the field: marks of others
// live in bits 0-23 (wg-quick 0xca6c, Tailscale 0xff0000) or take the whole word (Mullvad, Nym: refused); tables below
// 7600 and above 7699 are taken (Tailscale 52, NetBird 7120); priorities from 5210 on are Tailscale's.
import type { Address } from "../contract/prefix.ts";

export const linkName = "culvert0";
/** Debian's resolvconf orders servers by the record's name, tun* before any uplink (interface-order(5)). */
export const resolvconfRecord = (link: string): string => `tun.${link}`;
export const tableName = "culvert";

/**
 * Where our own resolver listens while rules name names. A loopback address of its own: port 53 of others is at 127.0.0.1
 * (unbound, dnsmasq), .53 and .54 (systemd-resolved), 127.0.1.1 (NetworkManager's dnsmasq), 127.0.2.1 (dnscrypt-proxy),
 * 127.0.0.11 (Docker), 127.0.0.153 (NetBird). Loopback, for nobody from outside can ask there, and it is there also while
 * the adapter is gone. 76 and 86 are the letters L and V.
 */
export const stubAddress = "127.76.86.53" as Address;

/**
 * Where it listens for programs whose names go another lane than the machine's: queries under their marks are led there, to
 * this machine's own loopback address (nft redirect), so the port says the lane. Below 1024: while the helper is dead nobody
 * without rights may answer there in its stead (ip_unprivileged_port_start); below 512, where NFS and RPC draw no port from
 * (bindresvport(3)); 288 to 307 are assigned to nobody (IANA).
 */
export const laneStubs = { direct: 288, tunnel: 289 } as const;
export const loopback = { 4: "127.0.0.1", 6: "::1" } as Readonly<Record<4 | 6, Address>>;

/** Marks: bits 24-31 only, always compared under the mask. The lane of a socket, or who made a packet. */
export const markMask = 0xff00_0000;
export const marks = {
  /** the engine's own packets to the node */
  engine: 0xc100_0000,
  /** a reply on a connection that came in on an outside address and was welcomed */
  reply: 0xc200_0000,
  tunnel: 0xc300_0000,
  direct: 0xc400_0000,
  block: 0xc500_0000,
} as const;

/**
 * One bit of ours that no mark of a socket has: what lock 2, which sees ports and sources whole, lets out beside the tunnel
 * carries it to lock 3. The mark of who made the packet stays readable.
 */
export const passedBit = 0x0800_0000;
/** Marks of programs' sockets, one for each group of programs that the policy tells apart. */
export const appMarks = [0xd0, 0xe0, 0xf0].flatMap((high) =>
  Array.from({ length: 8 }, (_, low) => ((high | low) << 24) >>> 0),
);
export const appMask = (markMask & ~passedBit) >>> 0;

/** Routing tables, 7600-7699. */
export const tables = {
  /** default through the tunnel, and an unreachable default under it */
  tunnel: 7600,
  /** the endpoint's way: where engine packets go */
  engine: 7601,
  /** approved on-link prefixes, copied from main */
  lan: 7602,
  /** uplinks' own resolvers, asked for programs of the direct lane */
  names: 7603,
  /** an uplink's own default route and its links' prefixes, for what answers from its addresses: 7604 to 7608 */
  uplink: 7604,
  /** the same for links without a default route: their prefixes only */
  beside: 7609,
} as const;
/** RT_TABLE_MAIN: the machine's own, where the forms besides "table" lay their routes. */
export const mainTable = 254;
/**
 * In main the tunnel's routes must be better than every lease's (100, 600, 1024 and the like). Not 0: dhclient and ifupdown
 * lay theirs there, and a second route with the metric of another is refused or takes its place.
 */
export const mainMetrics = { tunnel: 1, stop: 2 } as const;
/** Uplinks beyond these cannot answer callers that come through their gateway. */
export const maxUplinks = tables.beside - tables.uplink;
/** Tables of prefix sets, one a rule: 7610 + rule's place. */
export const firstSetTable = 7610;
export const maxSetTables = 90;
/** Up to here the prefixes of an IPv6 set are stopped by rules, one each (8 ns a rule and packet, Numbers). */
export const smallSet = 16;

/** Rule priorities, 4000-4999, with gaps for the rules of the policy before `lan` and before `catchAll`. */
export const priorities = {
  engine: 4000,
  engineStop: 4010,
  /** from an inside address: the tunnel */
  inside: 4100,
  /** from an outside address: its own uplink */
  outside: 4110,
  /** what our resolver asks for programs of the direct lane, and its stop */
  asking: 4130,
  askingStop: 4131,
  /** names asked of the node's resolver, where its address is one that the LAN or a rule claims */
  resolver: 4150,
  /** what rules of the policy say of the LAN in so many words: two for each, as below */
  firstNear: 4160,
  lan: 4350,
  /** two for each rule of the policy: its table, then, in IPv6, its stop */
  firstPolicy: 4400,
  lastPolicy: 4799,
  catchAll: 4900,
  /** IPv6 only: an unreachable rule (kernel/README B, C, E) */
  stop: 4910,
} as const;

/** What is ours by its number alone; nothing outside is ever changed. */
export const ranges = { firstTable: 7600, lastTable: 7699, firstPriority: 4000, lastPriority: 4999 } as const;
/** Nexthop objects live in one space for the whole namespace; ours carry the numbers of our tables. */
export const nexthopIds = { first: 7600, last: 7699 } as const;
/** What large sets point at, by family: a changed uplink is one message and not 100,000 (1.36). */
export const nexthops = {
  tunnel: { 4: 7600, 6: 7601 },
  direct: { 4: 7602, 6: 7603 },
  /** IPv6 stops of sets too large for rules: unlike an unreachable route they outlive `lo` going down (1.35, C) */
  blackhole: 7604,
} as const;
/** From here on a set's routes point at a nexthop object; below, at the device, which survives carrier loss (D, 1.15). */
export const largeSet = 1024;

/** `proto kernel` (RTPROT_KERNEL): systemd-networkd deletes foreign rules and routes of any other. */
export const protocolKernel = 2;
/** The unreachable default sits under any real one: the metric wg-quick's users never reach, below 2^32-1. */
export const lastMetric = 4_278_198_272;

/** Ours, where the order among routes to one prefix is ours to choose; the next best adds one. */
export const firstMetric = 10;

/** The TUN driver's own (drivers/net/tun.c, TUN_READQ_SIZE); packets of a dead engine wait in it (12.6). */
export const txQueueLen = 500;

/** WireGuard's outer overhead: IPv6 40 or IPv4 20, UDP 8, data header 16, tag 16 (WireGuard paper 5.4.6). */
export const overhead = { 4: 60, 6: 80 } as const;
export const minMtu = 1280;
