// One packet with every field known, answering by looking at its values one by one. Slow and obvious: what `classes.ts`
// and `prefixes.ts` say about sets of packets is checked against this, and `explain` walks with it.
import { lengthOf, type Address } from "../contract/prefix.ts";
import type { Route } from "./machine.ts";
import { first, portsOf, type Packet, type PacketValue, type PrefixSet } from "./packet.ts";
import { coversQuickly } from "./words.ts";

export function concrete(value: PacketValue, routes: readonly Route[]): Packet {
  let mark = value.mark;
  let source = value.source;
  const inSet = (set: PrefixSet, address: Address | null): boolean =>
    address !== null && set.prefixes.some((prefix) => coversQuickly(prefix, address));
  const between = (n: number, from: number, to: number): boolean => n >= from && n <= to;
  const hasPorts = portsOf.includes(value.protocol);
  const covering = (table: number, address: Address | null): Route[] =>
    address === null
      ? []
      : routes
          .filter((route) => route.table === table && coversQuickly(route.prefix, address))
          .sort((a, b) => lengthOf(b.prefix) - lengthOf(a.prefix) || a.metric - b.metric);
  const packet: Packet = {
    family: value.family,
    carries: value.carries,
    origin: value.origin,
    destinationAddress: value.destination,
    mark: (mask, wanted) => ((mark ^ wanted) & mask) === 0,
    source: (set) => inSet(set, source),
    destination: (set) => inSet(set, value.destination),
    protocol: (from, to) => between(value.protocol, from, to),
    sport: (from, to) => hasPorts && between(value.sport, from, to),
    dport: (from, to) => hasPorts && between(value.dport, from, to),
    uid: (from, to) => between(value.uid, from, to),
    icmpType: (from, to) => between(value.icmpType, from, to),
    hops: (n) => value.hops === n,
    ethertype: (type) => value.ethertype === type,
    ct: (states) => (value.ct & states) !== 0,
    flag: (flag) => value.flags.includes(flag),
    covering: (table) => covering(table, value.destination),
    tables: 0,
    laid: () => [],
    coveringSource: (table) => covering(table, source),
    choose: (what, options) => options[value.choices[what] ?? 0] ?? options[0],
    setMark: (mask, wanted) => {
      mark = ((mark & ~mask) | (wanted & mask)) >>> 0;
    },
    summed: (_part, of) => of(packet),
    firstOf: (parts, of) => first(parts, (part) => of(part, packet)),
    setSource: (address) => {
      source = address;
    },
  };
  return packet;
}
