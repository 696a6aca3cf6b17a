// What a link needs so that there is a network at all, and what this machine needs of itself: each of it must pass, in
// every state. A gate that drops these keeps every promise and leaves the machine without network, which is no less a
// failure (P5: it also arrives; P4 for what makes the local network found).
import {
  addressOf,
  familyOf,
  hostPrefix,
  networkOf,
  type Address,
  type Family,
  type Prefix,
} from "../contract/prefix.ts";
import type { LinkFact } from "../plan/facts.ts";
import { everything, explore, type Cube } from "./classes.ts";
import { uplinksOf } from "./faults.ts";
import type { Finding, Looked, Property } from "./leaks.ts";
import { ctStates, type Carries, type Flag, type Origin } from "./packet.ts";
import type { State } from "./state.ts";
import { walk, type Routing } from "./walk.ts";
import { coversQuickly, isSix } from "./words.ts";

interface Need {
  readonly property: Property;
  readonly what: string;
  readonly origin: Origin;
  readonly carries?: Carries;
  readonly source: Address;
  readonly destination: Address;
  readonly protocol?: number;
  readonly sport?: number;
  readonly dport?: number;
  readonly icmpType?: number;
  readonly hops?: number;
  readonly ct?: number;
  readonly ethertype?: number;
  /** A rule that blocks it means it. */
  readonly optional?: boolean;
}

export function needs(state: State): Looked {
  const findings: Finding[] = [];
  let classes = 0;
  for (const need of needsOf(state)) {
    const family = familyOf(need.destination);
    if (!state.families.includes(family)) continue;
    // what the kernel sends to a link asks no rules (7.8); what comes in does
    const routing: Routing =
      need.origin.kind === "socket" && need.origin.device !== null
        ? { kind: "any", devices: [need.origin.device] }
        : { kind: "model" };
    classes += explore(state.classes, [cubeOf(state, family, need)], (packet, leaf) => {
      const { end } = walk(state.machine, packet, routing);
      if (end.kind === "left" || end.kind === "delivered") return undefined;
      if (need.optional === true && state.wanted.lane(packet).lane === "block") return undefined;
      // our own resolver, as far as it asks for one lane alone
      if (state.wanted.names.stubs.some((stub) => stub.is(packet))) return undefined;
      const { machine } = state;
      findings.push({
        property: need.property,
        fault: "none",
        machine,
        routing,
        cube: leaf(),
        data: { need: need.what },
      });
      return true;
    });
  }
  return { findings, classes };
}

function cubeOf({ classes }: State, family: Family, need: Need): Cube {
  const space = classes.spaces[family];
  const bit = (address: Address): bigint => 1n << BigInt(space.locate(address));
  const cube = everything(classes, family, need.origin, need.carries ?? "ip");
  const one = (value: number | undefined, all: readonly number[]): readonly number[] =>
    value === undefined ? all : [value, value];
  return {
    ...cube,
    source: bit(need.source),
    destination: bit(need.destination),
    protocol: one(need.protocol, cube.protocol),
    sport: one(need.sport, cube.sport),
    dport: one(need.dport, cube.dport),
    icmpType: one(need.icmpType, cube.icmpType),
    hops: one(need.hops, cube.hops),
    ethertype: one(need.ethertype, cube.ethertype),
    ct: need.ct ?? ctStates.new,
    mark: { mask: 0xffff_ffff, value: 0, not: [] },
    flags: plainFlags.map((flag) => ({ flag, set: false })),
    few: true,
  };
}

const plainFlags: readonly Flag[] = ["lsrr", "ssrr", "routing-header", "later-fragment", "header-included"];

function* needsOf(state: State): Generator<Need> {
  yield* ofItself(state);
  for (const link of linksOf(state)) {
    yield* ofLink(state, link);
    yield* ofLocalNetwork(state, link);
    yield* inbound(state, link);
  }
  yield* fromTunnel(state);
}

/** Links whose life is plain: Ethernet, a name nft can say, an address of their own, no part of a bridge. */
function linksOf({ facts }: State): LinkFact[] {
  const names = new Set(uplinksOf(facts));
  return facts.links.filter((l) => names.has(l.name) && l.type === 1 && l.master === 0 && !l.name.endsWith("*"));
}

function own(state: State, link: string, family: Family): Address[] {
  return state.facts.addresses
    .filter((a) => a.link === link && familyOf(a.address) === family && !a.tentative)
    .map((a) => addressOf(a.address));
}

const text = (address: string): Address => address as Address;
const linkLocal = (address: Address): boolean => address.startsWith("fe80");

function* ofItself(state: State): Generator<Need> {
  const origin: Origin = { kind: "socket", device: null, source: "unset", kernel: false };
  const mine = [
    text("127.0.0.1"),
    ...state.facts.addresses.filter((a) => a.scope === "global").map((a) => addressOf(a.address)),
  ];
  const local = state.bundles.filter(({ route }) => route.type === "local").flatMap(({ prefixes }) => prefixes);
  for (const address of mine)
    if (local.includes(hostPrefix(address)) && unshared(state, address))
      yield { property: "P5", what: "this machine to itself", origin, source: address, destination: address };
  for (const inside of state.plan.link?.addresses ?? []) {
    const address = addressOf(inside);
    yield { property: "P5", what: "this machine to its inside self", origin, source: address, destination: address };
  }
}

/** An address on two links is nobody's in particular. */
const unshared = ({ facts, exit }: State, address: Address): boolean =>
  facts.addresses.filter((a) => addressOf(a.address) === address).length < 2 &&
  exit.inside.every((a) => addressOf(a) !== address);

/** ARP (RFC 826, probes RFC 5227), 802.1X, neighbour discovery (RFC 4861), leases (RFC 2131, RFC 8415). */
function* ofLink(state: State, { name }: LinkFact): Generator<Need> {
  const frame: Origin = { kind: "frame", device: name };
  const kernel: Origin = { kind: "socket", device: name, source: "set", kernel: true };
  const program: Origin = { kind: "socket", device: name, source: "set", kernel: false };
  const sent = (what: string, origin: Origin, rest: Omit<Need, "property" | "what" | "origin">): Need => ({
    ...{ property: "P5", what, origin },
    ...rest,
  });
  for (const source of own(state, name, 4)) {
    for (const destination of [...gatewaysOf(state, name, 4), ...honoured(state, name)])
      yield sent("ARP", frame, { carries: "arp", source, destination });
    yield sent("ARP probe", frame, { carries: "arp", source: text("0.0.0.0"), destination: source });
    yield sent("802.1X", frame, { carries: "other", source, destination: source, ethertype: 0x888e });
    const asking = { protocol: 17, sport: 68, dport: 67 };
    for (const from of [program, frame])
      yield sent("DHCPv4 asking", from, { source: text("0.0.0.0"), destination: text("255.255.255.255"), ...asking });
    for (const gateway of gatewaysOf(state, name, 4))
      yield sent("DHCPv4 renewing", program, { source, destination: gateway, ...asking });
  }
  for (const source of own(state, name, 6).filter(linkLocal)) {
    const nd = { protocol: 58, hops: 255, source };
    yield sent("ND: router solicitation", kernel, { ...nd, icmpType: 133, destination: text("ff02::2") });
    yield sent("ND: who has", kernel, { ...nd, icmpType: 135, destination: text("ff02::1:ff00:1") });
    yield sent("ND: still there", kernel, { ...nd, icmpType: 135, destination: text("fe80::1234") });
    yield sent("ND: here I am", kernel, { ...nd, icmpType: 136, destination: text("fe80::1234") });
    yield sent("ND: here I am, to all", kernel, { ...nd, icmpType: 136, destination: text("ff02::1") });
    const asking = { protocol: 17, sport: 546, dport: 547, source };
    yield sent("DHCPv6 asking", program, { ...asking, destination: text("ff02::1:2") });
    yield sent("DHCPv6 renewing", program, { ...asking, destination: text("fe80::1234") });
  }
}

/** A host of each honoured IPv4 network of the link. */
function honoured({ wanted }: State, device: string): Address[] {
  return wanted.lan.filter((l) => l.device === device && familyOf(l.prefix) === 4).map((l) => addressOf(l.prefix));
}

function gatewaysOf({ facts }: State, device: string, family: Family): Address[] {
  const legs = facts.routes
    .filter((r) => r.family === family && r.table === 254 && r.prefix.endsWith("/0"))
    .flatMap((r) => r.legs);
  return legs.flatMap((leg) => (leg.dev === device && leg.via !== null ? [leg.via] : []));
}

/** mDNS (RFC 6762), SSDP, IGMPv3 (RFC 3376), MLDv2 (RFC 3810), where the link has a network that is honoured. */
function* ofLocalNetwork(state: State, { name }: LinkFact): Generator<Need> {
  const origin: Origin = { kind: "socket", device: name, source: "set", kernel: false };
  const has = (family: Family): boolean =>
    state.wanted.lan.some((l) => l.device === name && familyOf(l.prefix) === family) &&
    !(family === 6 && state.policy.ipv6 === "block");
  const found = (source: Address, to: string, rest: Partial<Need>): Need => ({
    ...{ property: "P4", what: `discovery by ${to}`, origin, source, destination: text(to), optional: true },
    ...rest,
  });
  for (const source of has(4) ? own(state, name, 4) : []) {
    yield found(source, "224.0.0.251", { protocol: 17, dport: 5353 });
    yield found(source, "239.255.255.250", { protocol: 17, dport: 1900 });
    yield found(source, "224.0.0.22", { protocol: 2 });
  }
  for (const source of has(6) ? own(state, name, 6).filter(linkLocal) : []) {
    yield found(source, "ff02::fb", { protocol: 17, dport: 5353 });
    yield found(source, "ff02::c", { protocol: 17, dport: 1900 });
    yield found(source, "ff02::16", { protocol: 58, icmpType: 143 });
  }
}

function* inbound(state: State, { name }: LinkFact): Generator<Need> {
  const origin: Origin = { kind: "arriving", device: name };
  const { endpoint } = state.exit;
  const comes = (what: string, rest: Omit<Need, "property" | "what" | "origin">): Need => ({
    ...{ property: "P5", what, origin },
    ...rest,
  });
  for (const family of [4, 6] as const)
    for (const destination of own(state, name, family)) {
      if (!unshared(state, destination) || linkLocal(destination)) continue;
      if (strict(state, name)) continue;
      // at rest there is no node
      if (state.name !== "off" && familyOf(endpoint.address) === family && uplinksOf(state.facts)[0] === name)
        for (const ct of [ctStates.establishedReply])
          yield comes("the node's packets", {
            source: endpoint.address,
            destination,
            protocol: 17,
            sport: endpoint.port,
            ct,
          });
      const icmp = family === 4 ? { protocol: 1, types: [3, 11, 12] } : { protocol: 58, types: [1, 2, 3, 4] };
      for (const icmpType of icmp.types)
        yield comes("errors about what was let out", {
          source: endpoint.address,
          destination,
          protocol: icmp.protocol,
          icmpType,
          ct: ctStates.relatedReply,
        });
    }
  for (const destination of own(state, name, 6).filter(linkLocal)) {
    const nd = { source: text("fe80::1234"), protocol: 58, hops: 255 };
    yield comes("ND: router advertisement", {
      ...nd,
      icmpType: 134,
      destination: text("ff02::1"),
      ct: ctStates.untracked,
    });
    for (const icmpType of [135, 136])
      yield comes("ND: neighbours", { ...nd, icmpType, destination, ct: ctStates.untracked });
    yield comes("DHCPv6 answer", { source: text("fe80::1234"), destination, protocol: 17, sport: 547, dport: 546 });
  }
  for (const destination of [
    text("255.255.255.255"),
    ...own(state, name, 4).filter((a) => unshared(state, a) && !strict(state, name)),
  ])
    for (const source of gatewaysOf(state, name, 4))
      yield comes("DHCPv4 answer", { source, destination, protocol: 17, sport: 67, dport: 68 });
  yield* fromNeighbours(state, name);
  yield* fromDirect(state, name);
}

/** Answers of what a rule sends direct, as far as no earlier rule has taken their address. */
function* fromDirect(state: State, name: string): Generator<Need> {
  if (state.name === "connecting" || strict(state, name)) return;
  for (const [place, rule] of state.policy.rules.entries()) {
    const asked = rule.match;
    if (rule.lane !== "direct" || asked.protocol === "icmp") continue;
    const sport = asked.ports?.[0]?.from ?? 443;
    const earlier = state.policy.rules.slice(0, place).flatMap((r) => r.match.destination ?? [...everywhere]);
    for (const prefix of firstOfEach(rule.match.destination ?? [])) {
      const source = addressOf(prefix);
      const blocked = source.includes(":") && state.policy.ipv6 === "block";
      if (
        blocked ||
        earlier.some((taken) => coversQuickly(taken, source)) ||
        gatewaysOf(state, name, familyOf(source)).length === 0
      )
        continue;
      for (const destination of own(state, name, familyOf(source)).filter((a) => unshared(state, a) && !linkLocal(a)))
        yield {
          ...{ property: "P5", what: "answers of a direct network", origin: { kind: "arriving", device: name } },
          ...{ source, destination, protocol: asked.protocol === "udp" ? 17 : 6, sport, ct: ctStates.establishedReply },
        };
    }
  }
}

const everywhere = ["0.0.0.0/0", "::/0"] as Prefix[];
const firstOfEach = (all: readonly Prefix[]): Prefix[] =>
  [false, true].flatMap((six) => all.find((p) => isSix(p) === six) ?? []);

/** Strict reverse path filtering is the owner's wish and drops by itself (10.1). */
const strict = ({ machine }: State, device: string): boolean =>
  [`all`, device].some((dev) => (machine.sysctls[`net.ipv4.conf.${dev}.rp_filter`] ?? "0") !== "0");

/** Callers of the honoured local network get in. */
function* fromNeighbours(state: State, name: string): Generator<Need> {
  for (const { device, prefix } of state.wanted.lan) {
    // a tentative address takes no calls yet (RFC 4862, 5.4): a link that just came up breaks no promise
    const network = state.facts.addresses.find(
      (a) => a.link === device && !a.tentative && networkOf(a.address) === prefix,
    );
    if (device !== name || network === undefined || strict(state, name)) continue;
    if (prefix.includes(":") && state.policy.ipv6 === "block") continue;
    const destination = addressOf(network.address);
    const shared = state.wanted.lan.some((l) => l.device !== device && l.prefix === prefix);
    const source = addressOf(prefix);
    if (shared || !unshared(state, destination)) continue;
    yield {
      property: "P4",
      what: "callers of the local network",
      origin: { kind: "arriving", device },
      source,
      destination,
      protocol: 6,
      dport: 22,
    };
  }
}

/** What the tunnel brings is for the inside address: answers, and callers of the inside. */
function* fromTunnel(state: State): Generator<Need> {
  const { link } = state.plan;
  if (state.name !== "connected" || link === null) return;
  for (const inside of state.exit.inside) {
    const destination = addressOf(inside);
    if (familyOf(destination) === 6 && (state.policy.ipv6 === "block" || link.mtu < 1280)) continue;
    if (!link.addresses.includes(inside) && !link.addresses.some((a) => addressOf(a) === destination)) continue;
    const carried = state.exit.allowedIps.find((p) => familyOf(p) === familyOf(destination));
    if (carried === undefined) continue;
    const source = carried.endsWith("/0")
      ? text(familyOf(destination) === 4 ? "203.0.113.200" : "2001:db8:f::200")
      : addressOf(carried);
    const origin: Origin = { kind: "arriving", device: link.name };
    yield {
      property: "P5",
      what: "answers through the tunnel",
      origin,
      source,
      destination,
      protocol: 6,
      sport: 443,
      ct: ctStates.establishedReply,
    };
  }
}
