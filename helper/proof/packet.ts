// What the walk may ask of a packet. Two things answer: one packet with every field known (`concrete.ts`, the slow,
// obvious twin) and a cube, a whole set of packets (`classes.ts`), which splits in two whenever a question does not have
// the same answer for all of its members. So there is one model of Linux, and it is the same for proof and explanation.
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import type { Route } from "./machine.ts";

/** Where a packet is born or comes from. */
export type Origin =
  /**
   * A socket of this machine. `device`: bound to it (SO_BINDTODEVICE, IP_UNICAST_IF, PKTINFO). `source`: "unset" is
   * chosen after the route (3.13); "set" is bound, IP_HDRINCL, or an answer. `kernel`: made by the kernel itself (RST,
   * ICMP errors, IGMP), which has no socket (2.20, 2.28).
   */
  | {
      readonly kind: "socket";
      readonly device: string | null;
      readonly source: "unset" | "set";
      readonly kernel: boolean;
    }
  /** A raw frame on a device: AF_PACKET, a bridged frame, a macvlan child (4.10, 4.46, 4.47): egress sees it, nobody else. */
  | { readonly kind: "frame"; readonly device: string }
  /** Comes in on a device: for this machine, or to be forwarded. */
  | { readonly kind: "arriving"; readonly device: string };

/** What a raw frame carries; sockets make `ip` only. */
export type Carries = "ip" | "arp" | "other";

/** Prefixes asked as one question; the key says which, so that a cube finds the prepared answer. */
export interface PrefixSet {
  readonly key: string;
  readonly prefixes: readonly Prefix[];
}

/** Conntrack as one field: state with direction; invalid and untracked have no direction (6.17). */
export const ctStates = {
  new: 1,
  establishedOriginal: 2,
  establishedReply: 4,
  relatedOriginal: 8,
  relatedReply: 16,
  invalid: 32,
  untracked: 64,
} as const;
export const anyCt = 127;

/** Rare properties of a packet, each simply there or not. */
export type Flag =
  /** IPv4 loose or strict source route, IPv6 routing header (K) */
  | "lsrr"
  | "ssrr"
  | "routing-header"
  /** second or later fragment: no ports to see at egress (4.18) */
  | "later-fragment"
  /** IP_HDRINCL: rules see protocol 255 and no ports (8.7, 13.10) */
  | "header-included"
  /** the tos a foreign rule or route asks for */
  | `tos-${number}`;

/** Something with an answer for every packet. `born`: nothing of the origin is asked, or no more than its kind. */
export interface Part {
  readonly born?: "any" | "kind";
  /** Parts with the same stand-in come to the same for every packet: what is remembered of one is remembered of all. */
  readonly like?: object;
  /** The stand-in names the routes of the tables that are read, too. */
  readonly tables?: "named";
}

export interface Packet {
  readonly family: Family;
  readonly carries: Carries;
  readonly origin: Origin;
  /** Where one packet is known; null for a set of packets. */
  readonly destinationAddress: Address | null;

  mark(mask: number, value: number): boolean;
  source(set: PrefixSet): boolean;
  destination(set: PrefixSet): boolean;
  protocol(from: number, to: number): boolean;
  sport(from: number, to: number): boolean;
  dport(from: number, to: number): boolean;
  uid(from: number, to: number): boolean;
  icmpType(from: number, to: number): boolean;
  hops(value: number): boolean;
  ethertype(type: number): boolean;
  /** whether conntrack's view is one of these bits of `ctStates` */
  ct(states: number): boolean;
  flag(flag: Flag): boolean;
  /** Routes of a table that cover the destination: longest prefix first, then metric. */
  covering(table: number): readonly Route[];
  /** A number for the tables that this packet is asked of. Who remembers nothing has no need to tell them apart. */
  readonly tables: number;
  /** The kinds of routes in a table: the same list as long as the table is the same. Who remembers nothing: none. */
  laid(table: number): readonly Route[];
  /** As `covering`, for the source: what strict reverse path filtering looks at. */
  coveringSource(table: number): readonly Route[];
  /** A choice that is not the packet's: a multipath leg, an adversary's route. Every option is tried. */
  choose<T>(what: string, options: readonly [T, ...T[]]): T;
  /**
   * `of` this packet, where `of` asks nothing but packet and `part`: a set of packets remembers what it came to and asks
   * once. `name` says which values are the same (else those that are ===), so that ways to the same end are one.
   */
  summed<T>(part: Part, of: (packet: Packet) => T, name?: (value: T) => string): T;
  /** The first of the parts, asked in order, that says anything but undefined; each as `summed`. */
  firstOf<P extends Part, T>(
    parts: readonly P[],
    of: (part: P, packet: Packet) => T | undefined,
    name?: (value: T) => string,
  ): T | undefined;

  /** `meta mark set`: everything later sees it. */
  setMark(mask: number, value: number): void;
  /** The source that the kernel chose. */
  setSource(address: Address): void;
}

/** One packet with nothing left open; what a counterexample shows and what `explain` asks about. */
export interface PacketValue {
  readonly family: Family;
  readonly carries: Carries;
  readonly origin: Origin;
  readonly source: Address | null;
  readonly destination: Address;
  readonly protocol: number;
  readonly sport: number;
  readonly dport: number;
  readonly mark: number;
  readonly uid: number;
  readonly icmpType: number;
  readonly hops: number;
  readonly ethertype: number;
  /** one bit of `ctStates` */
  readonly ct: number;
  readonly flags: readonly Flag[];
  /** options taken by `choose`, by what was chosen */
  readonly choices: Readonly<Record<string, number>>;
}

/** Protocols whose ports nft's `th sport` and `th dport` see: TCP, UDP, DCCP, SCTP, UDP-Lite (13.8, 13.9). */
export const portsOf: readonly number[] = [6, 17, 33, 132, 136];

const standIns = new Map<string, StandIn>();
let madeSoFar = 0;

export interface StandIn {
  readonly number: number;
}

/** One object for all things that this text tells. Emptied before it grows large: what comes after is only told anew. */
export function standIn(text: string): StandIn {
  const known = standIns.get(text);
  if (known) return known;
  if (standIns.size > 50_000) standIns.clear();
  const made = { number: (madeSoFar += 1) };
  standIns.set(text, made);
  return made;
}

/** What a packet that remembers nothing does: one after the other. */
export function first<P, T>(parts: readonly P[], of: (part: P) => T | undefined): T | undefined {
  for (const part of parts) {
    const found = of(part);
    if (found !== undefined) return found;
  }
  return undefined;
}
