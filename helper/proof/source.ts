// The source address of a socket that named none: IPv4 by inet_select_addr, IPv6 by RFC 6724 as ipv6_dev_get_saddr does
// it. Where the last rule of RFC 6724 (longest common prefix) would have to decide for a whole set of destinations at
// once, every candidate still in is tried.
import { hostPrefix, parseAddress, rangeOf, type Address, type Prefix } from "../contract/prefix.ts";
import { linkLocal6, multicast6, oneOf, type Decision } from "./fib.ts";
import { localTable, type Machine, type MachineAddress } from "./machine.ts";
import type { Packet, PrefixSet } from "./packet.ts";

/** null: the machine has no address of the family to send with. */
export function chooseSource(
  machine: Machine,
  packet: Packet,
  decision: Extract<Decision, { kind: "route" }>,
  local: boolean,
): Address | null {
  const wanted = decision.route?.src ?? null;
  // 9.7: a route may name an address that the machine has no longer, and it is used
  if (wanted !== null) return wanted;
  if (local) return ownDestination(machine, packet);
  if (decision.device === null) return null;
  return packet.family === 4
    ? select4(machine, decision.device, decision.gateway)
    : select6(machine, packet, decision.device);
}

/** To an address of its own the machine speaks from that very address. */
function ownDestination(machine: Machine, packet: Packet): Address | null {
  for (const { address } of machine.addresses)
    if (sameFamily(packet, address) && packet.destination(oneOf(hostPrefix(address)))) return address;
  const first = packet.covering(localTable)[0];
  return (
    first?.src ?? machine.addresses.find((a) => sameFamily(packet, a.address) && a.scope === "host")?.address ?? null
  );
}

/** inet_select_addr: on the device the address whose network holds the gateway, else its first, else anybody's first. */
function select4(machine: Machine, device: string, gateway: Address | null): Address | null {
  const mine = machine.addresses.filter((a) => a.link === device && !a.address.includes(":") && a.scope !== "host");
  const near = gateway === null ? undefined : mine.find((a) => inside(gateway, a));
  const other = machine.addresses.find((a) => !a.address.includes(":") && a.scope === "global");
  return (near ?? mine[0] ?? other)?.address ?? null;
}

const inside = (address: Address, of: MachineAddress): boolean => {
  const network = range(`${of.address}/${of.length}` as Prefix);
  const at = range(address);
  return at.family === network.family && at.first >= network.first && at.first <= network.last;
};

const sameFamily = (packet: Packet, address: Address): boolean => address.includes(":") === (packet.family === 6);

/** `device` null: no route was found, any device's address will do. */
export function select6(machine: Machine, packet: Packet, device: string | null): Address | null {
  const multicast = packet.destination(multicast6);
  const linkLocal = !multicast && packet.destination(linkLocal6);
  // RFC 6724, 4: for these destinations only addresses of the outgoing device are candidates
  const all = machine.addresses.filter(
    (a) =>
      a.address.includes(":") &&
      a.scope !== "host" &&
      (device === null || a.link === device || !(multicast || linkLocal)),
  );
  let best = all.filter((a) => linkLocal || multicast || a.scope !== "link");
  if (best.length === 0) best = all.filter((a) => a.link === device);
  if (best.length > 1 && packet.destinationAddress !== null)
    best = keep(best, (a) => a.address === packet.destinationAddress);
  best = keep(best, (a) => (linkLocal || multicast ? a.scope === "link" : a.scope === "global"));
  best = keep(best, (a) => !a.deprecated);
  best = keep(best, (a) => a.link === device || device === null);
  if (best.length > 1 && !sameLabel(best)) {
    const label = labels.findIndex((set) => packet.destination(set));
    best = keep(best, (a) => labelOf(a.address) === label);
  }
  const temporary = Number(machine.sysctls[`net.ipv6.conf.${device ?? "all"}.use_tempaddr`] ?? "0") >= 2;
  best = keep(best, (a) => a.temporary === temporary);
  return longest(best, packet);
}

/** One rule of RFC 6724: those that satisfy it beat the others; if none does, nothing is decided. */
function keep(all: readonly MachineAddress[], good: (a: MachineAddress) => boolean): MachineAddress[] {
  const kept = all.filter(good);
  return kept.length > 0 ? kept : [...all];
}

/** RFC 6724, 2.1, as the kernel has it (addrlabel.c); the longest first, the place is the label. */
export const labels: readonly PrefixSet[] = [
  oneOf("::1/128" as Prefix),
  oneOf("::ffff:0:0/96" as Prefix),
  oneOf("::/96" as Prefix),
  oneOf("2001:10::/28" as Prefix),
  oneOf("2001::/32" as Prefix),
  oneOf("2002::/16" as Prefix),
  oneOf("fc00::/7" as Prefix),
  oneOf("::/0" as Prefix),
];

/** Parsing takes longer than the whole walk, and the machine's addresses are asked for again and again. */
function kept<K, V>(find: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const value = known.get(key);
    if (value !== undefined) return value;
    if (known.size > 10_000) known.clear();
    const found = find(key);
    known.set(key, found);
    return found;
  };
}

const range = kept((text: Address | Prefix) => rangeOf(text));

const labelOf = kept((address: Address): number => {
  const { first } = range(address);
  return labels.findIndex(({ prefixes }) => {
    const label = range(prefixes[0] ?? ("::/0" as Prefix));
    return first >= label.first && first <= label.last;
  });
});

const sameLabel = (all: readonly MachineAddress[]): boolean => new Set(all.map((a) => labelOf(a.address))).size === 1;

/** Rule 8, the common prefix, counted no further than the address's own prefix; among equals the first. */
function longest(all: readonly MachineAddress[], packet: Packet): Address | null {
  const [first, ...rest] = all;
  if (first === undefined) return null;
  if (rest.length === 0) return first.address;
  const to = packet.destinationAddress === null ? undefined : parseAddress(packet.destinationAddress);
  if (to === undefined) return packet.choose("source address", [first, ...rest]).address;
  const common = (a: MachineAddress): number => {
    const differing = (range(a.address).first ^ range(to).first).toString(2);
    return Math.min(a.length, differing === "0" ? 128 : 128 - differing.length);
  };
  return all.reduce((best, a) => (common(a) > common(best) ? a : best), first).address;
}
