// P2, P4, P5, P6, P7: what must arrive does, by its own way, and what must not come in does not. All with the real rules
// and routes of one state, nothing having gone wrong.
import {
  familyOf,
  hostPrefix,
  networkOf,
  overlaps,
  type Family,
  type InterfaceAddress,
  type Prefix,
} from "../contract/prefix.ts";
import { markMask, marks, minMtu } from "../plan/numbers.ts";
import { explore, type Cube } from "./classes.ts";
import { isToMany, linkLocal6, oneOf } from "./fib.ts";
import { uplinksOf } from "./faults.ts";
import { unsayable, type Finding, type Looked, type Property } from "./leaks.ts";
import { localTable, mainTable, type Machine } from "./machine.ts";
import { ctStates, type Origin, type Packet } from "./packet.ts";
import { leftOut, outranked } from "./outranked.ts";
import { sockets, starts, type State } from "./state.ts";
import { innerBridges } from "./wanted.ts";
import { walk, type End, type Routing } from "./walk.ts";

/** null: as it should be; else what was wanted. */
type Judge = (packet: Packet, machine: Machine) => Readonly<Record<string, string>> | null | undefined;

const enough = 16;

/** P2: the engine's packets reach the node the way main knows, and nothing with their mark enters the tunnel. */
export function noLoop(state: State): Looked {
  const { wanted, machine, bare } = state;
  const origins = [...sockets(state, null, "unset"), ...sockets(state, null, "set")];
  const all = starts(state, origins).map((cube) => marked(cube, marks.engine));
  const ways = new Set([...uplinksOf(state.facts), ...state.facts.addresses.map((a) => a.link)]);
  const toNode: Judge = (packet) => {
    if (!numbered(state, packet.family)) return null;
    if (!wanted.isEngine(packet) || !wanted.isOutside("source", packet) === hasSource(packet)) return null;
    if (packet.flag("header-included") || sourceRouted(packet) || !fresh(packet)) return null;
    const want = walk(bare, packet).end;
    if (want.kind !== "left") return null;
    const { end } = walk(machine, packet);
    // the very way may be another than main's: a route that a network pushed does not move the node's packets
    return end.kind === "left" && ways.has(end.device) ? null : { wanted: say(want) };
  };
  const enters = (end: End): ReturnType<Judge> =>
    end.kind === "left" && machine.links.get(end.device)?.tunnel === true ? { wanted: "beside" } : null;
  // routing alone, and the gate alone, keep it out
  const bareGate: Machine = { ...machine, nft: [] };
  const routing: Judge = (packet) => (isToMany(packet, "destination") ? null : enters(walk(bareGate, packet).end));
  const gate: Judge = (packet) => enters(walk(machine, packet, intoTunnel(state)).end);
  const unbound = all.filter(unset);
  return joined(
    judged(state, "P2", unbound, routing, { kind: "model" }, bareGate),
    state.plan.link === null ? nothing : judged(state, "P2", all, gate, intoTunnel(state)),
    judged(state, "P2", unbound, toNode),
  );
}

const nothing: Looked = { findings: [], classes: 0 };

/** Whatever the routes say, everything is tried to be sent into the tunnel. */
const intoTunnel = ({ plan }: State): Routing => ({ kind: "any", devices: plan.link === null ? [] : [plan.link.name] });

/** P5 and P6 by the gate alone: what a rule sends elsewhere does not enter the tunnel, nor does an outside source. */
export function tunnelGate(state: State): Looked {
  const { wanted, machine, policy } = state;
  const all = starts(state, [...sockets(state, null, "set"), ...sockets(state, null, "unset")]);
  const into = intoTunnel(state);
  const inside = (packet: Packet): boolean => {
    // lock 2 sees packets whole (4.18)
    if (packet.flag("later-fragment")) return false;
    const { end } = walk(machine, packet, into);
    return end.kind === "left" && machine.links.get(end.device)?.tunnel === true;
  };
  const lane: Judge = (packet) => {
    if (!inside(packet) || wanted.isLan(packet)) return null;
    const wish = wanted.lane(packet);
    // P3 says what becomes of names
    if (wanted.isQuery(packet) && wish.lane !== "block") return null;
    // in mode "only" who has an inside address answers by it
    return wish.lane === "tunnel" || (wish.rule === null && policy.mode === "only") ? null : { wanted: wish.lane };
  };
  const source: Judge = (packet) =>
    !inside(packet) || wanted.isInside("source", packet) ? null : { wanted: "inside source" };
  return joined(
    judged(state, "P5", all, lane, into),
    judged(
      state,
      "P6",
      all.filter((cube) => !unset(cube)),
      source,
      into,
    ),
  );
}

/** P4: what leaves as local network goes to a neighbour of a device that has the prefix, never through a gateway. */
export function localNetwork(state: State): Looked {
  const { wanted, machine } = state;
  const devices = [null, ...[...machine.links.values()].filter((l) => !l.tunnel && !l.loopback).map((l) => l.name)];
  const all = starts(
    state,
    devices.flatMap((device) => sockets(state, device, "unset")),
  );
  return judged(state, "P4", all, (packet) => {
    if (!wanted.isLan(packet) || isToMany(packet, "destination")) return null;
    const { end } = walk(machine, packet);
    if (end.kind !== "left" || machine.links.get(end.device)?.tunnel === true) return null;
    if (wanted.beside(packet, end.device) !== "lan" || wanted.lane(packet).lane === "direct") return null;
    const here = wanted.lan.some((l) => l.device === end.device && packet.destination(oneOf(l.prefix)));
    // mode "only" leaves the local network to main
    return (end.gateway === null && here) || state.policy.mode === "only" ? null : { wanted: "a neighbour" };
  });
}

/** P5: every packet of a program that names neither device nor source goes exactly where its first rule says. */
export function lanes(state: State): Looked {
  const programs = sockets(state, null, "unset").filter((o) => o.kind !== "socket" || !o.kernel);
  const all = starts(state, programs).flatMap((cube) => state.wanted.marks.map((mark) => marked(cube, mark)));
  const { confused } = state.wanted;
  if (confused !== null) return { classes: 0, findings: [unlike(state, confused)] };
  return judged(state, "P5", all, (packet) => judgeLane(state, packet));
}

function unlike(state: State, marks: string): Finding {
  const { machine } = state;
  const none = { fault: "none", machine, routing: { kind: "model" }, cube: null } as const;
  return { property: "P5", ...none, data: { wanted: "programs told apart", marks } };
}

function judgeLane(state: State, packet: Packet): ReturnType<Judge> {
  const { wanted, machine, bare, policy } = state;
  if (isOwn(packet) || !ordinary(packet)) return null;
  const walked = walk(machine, packet);
  const { end, steps } = walked;
  const inTunnel = end.kind === "left" && machine.links.get(end.device)?.tunnel === true;
  if (wanted.isLan(packet)) return onItsLink(state, packet, end);
  const sourceKnown = steps.some((step) => step.kind === "source" && step.address !== null);
  const { lane, rule } = wanted.lane(packet, sourceKnown);
  if (packet.family === 6 && policy.ipv6 === "block") return end.kind === "left" ? { wanted: "refused" } : null;
  if (lane === "block") return end.kind === "left" || end.kind === "delivered" ? { wanted: "refused" } : null;
  // P3 says what becomes of other queries
  if (wanted.isQuery(packet) && !wanted.isResolver(packet) && rule?.match.ports === undefined) return null;
  // L, 8.16: no rule of routing can say port 65535: refused by the gate
  if (unsayable(policy) && packet.dport(65535, 65535)) return null;
  if (lane === "tunnel") {
    // 3.13: who was let out beside and so got an outside source cannot go in any more; the gate refuses him
    if (rule?.match.source !== undefined) return end.kind === "left" && !inTunnel ? { wanted: "tunnel" } : null;
    // what the node does not carry may be refused here or there, but goes nowhere else: that is P1
    if (!wanted.carries(packet) || (packet.family === 6 && (state.plan.link?.mtu ?? 0) < minMtu)) return null;
    if (inTunnel) return wanted.isInside("source", packet) ? null : { wanted: "tunnel" };
    // a limit of the forms that lie in main, and said as one; that it does not leave either is P1
    return leftOut(state, packet) || outranked(state, packet, walked) ? null : { wanted: "tunnel" };
  }
  // a rule by source means whoever has it already; who has none gets that of its lane (3.13)
  if (rule?.match.source !== undefined) return inTunnel ? { wanted: "beside" } : null;
  // link-local addresses that no link has are nobody's
  if (packet.family === 6 && packet.destination(linkLocal6)) return null;
  const bareEnd = walk(bare, packet).end;
  if (bareEnd.kind !== "left" || !bareEnd.gateway || !numbered(state, packet.family)) return null;
  // by main's own way, or by an uplink's gateway: a route that a network pushed into main does not count (TunnelVision)
  const uplink = end.kind === "left" && uplinksOf(state.facts).includes(end.device);
  return uplink || same(end, bareEnd) ? null : { wanted: say(bareEnd) };
}

/** The local network: to the neighbour, by a device that has the prefix. */
function onItsLink({ wanted, policy, bare }: State, packet: Packet, end: End): ReturnType<Judge> {
  if (wanted.isQuery(packet) || wanted.lan.some((l) => !sayable(l.device))) return null;
  const here = (device: string): boolean =>
    wanted.lan.some((l) => l.device === device && packet.destination(oneOf(l.prefix)));
  if (end.kind === "left" && end.gateway === null && here(end.device)) return null;
  if (policy.mode !== "only") return { wanted: "a neighbour" };
  const bareEnd = walk(bare, packet).end;
  return end.kind === bareEnd.kind ? null : { wanted: say(bareEnd) };
}

/** P3 inside the tunnel: a query goes to a resolver that policy or node names, and to nobody else. */
export function names(state: State): Looked {
  const { wanted, machine } = state;
  const all = starts(state, [...sockets(state, null, "unset"), ...sockets(state, null, "set")]);
  return judged(state, "P3", all, (packet) => {
    if (!wanted.isQuery(packet) || wanted.isResolver(packet)) return null;
    const { end } = walk(machine, packet);
    // who writes a rule for the port means its queries
    const { lane, rule } = wanted.lane(packet);
    if (lane === "tunnel" && rule?.match.ports !== undefined) return null;
    return end.kind === "left" && machine.links.get(end.device)?.tunnel === true ? { wanted: "refused" } : null;
  });
}

/** P6: answers leave by the address they came in on, callers who are welcome get in, nobody else does. */
export function identities(state: State): Looked {
  const { wanted, machine, bare, policy } = state;
  const answers = starts(state, sockets(state, null, "set")).map((cube) => ({
    ...cube,
    ct: ctStates.establishedReply,
    mark: unmarked,
  }));
  const inner = innerBridges(state.facts);
  const outward: Judge = (packet) => {
    if (!wanted.isOutside("source", packet) || !wanted.isWelcome(packet, "out") || !farOff(packet)) return null;
    if (
      packet.flag("header-included") ||
      sourceRouted(packet) ||
      wanted.isLan(packet) ||
      wanted.isOutside("destination", packet)
    )
      return null;
    // L, 8.16: no rule can say port 65535, and IPv6 needs one that names the port
    if (packet.family === 6 && policy.ipv6 === "block") return null;
    if ((packet.family === 6 || policy.mode === "only") && packet.sport(65535, 65535)) return null;
    const device = holder(machine, packet);
    const link = state.facts.links.find((l) => l.name === device);
    if (device === null || link === undefined || link.master !== 0 || inner.has(device)) return null;
    const want = walk(bare, packet).end;
    if (!reaches(state, device, packet.family) || want.kind !== "left" || want.device !== device || !want.gateway)
      return null;
    if (!state.facts.routes.some((r) => r.prefix.endsWith("/0") && r.legs.some((leg) => leg.via === want.gateway)))
      return null;
    const { end } = walk(machine, packet);
    return end.kind === "left" && end.device === device ? null : { wanted: device };
  };
  const inward: Judge = (packet, m) => {
    const { origin } = packet;
    if (origin.kind !== "arriving" || !wanted.isOutside("destination", packet) || !isOwn(packet)) return null;
    if (packet.family === 6 && policy.ipv6 === "block") return null;
    if (sourceRouted(packet) || !packet.ct(ctStates.new) || !farOff(packet, "source") || inNeighbourhood(state, packet))
      return null;
    if (!packet.protocol(6, 6) && !packet.protocol(17, 17)) return null;
    if (inner.has(origin.device) || wanted.isFromNode(packet)) return null;
    const welcome = wanted.isWelcome(packet, "in");
    // leases answer to their ports before there is any connection
    if (!welcome && packet.protocol(17, 17) && (packet.dport(68, 68) || packet.dport(546, 546))) return null;
    const bareEnd = welcome ? walk(bare, packet).end : null;
    const { end } = walk(m, packet);
    // mode "only": who comes in is the machine's own business
    if (!welcome) return end.kind === "delivered" && policy.mode !== "only" ? { wanted: "refused" } : null;
    return bareEnd?.kind !== "delivered" || end.kind === "delivered" ? null : { wanted: "delivered" };
  };
  return joined(judged(state, "P6", answers, outward), judged(state, "P6", coming(state), inward));
}

/** P7: CVE-2019-14899: nothing for the inside address gets in by another interface, nor is passed on. */
export function noEntry(state: State): Looked {
  const inner = innerBridges(state.facts);
  const entry: Judge = (packet, machine) => {
    if (!state.wanted.isInside("destination", packet)) return null;
    const { end } = walk(machine, packet);
    return end.kind === "delivered" || end.kind === "left" ? { wanted: "refused" } : null;
  };
  // 13.3: a redirect moves one destination to another host of the link, and no table shows it
  const redirect: Judge = (packet, machine) => {
    const [protocol, type] = packet.family === 4 ? [1, 5] : [58, 137];
    if (!packet.protocol(protocol, protocol) || !packet.icmpType(type, type)) return null;
    return walk(machine, packet).end.kind === "delivered" ? { wanted: "refused" } : null;
  };
  const outside = coming(state).filter(({ origin }) => origin.kind !== "socket" && !inner.has(origin.device));
  return joined(judged(state, "P7", coming(state), entry), judged(state, "P7", outside, redirect));
}

/** P10: what other devices send through here is held to the same lanes. */
export function forwarded(state: State): Looked {
  const { wanted } = state;
  const inner = innerBridges(state.facts);
  const fromNode: Judge = (packet, machine) => {
    const { end } = walk(machine, packet);
    return end.kind === "left" && !inner.has(end.device) ? { wanted: "refused" } : null;
  };
  const others: Judge = (packet, machine) => {
    // lock 2 sees packets whole (4.18)
    if (isOwn(packet) || wanted.isLan(packet) || sourceRouted(packet) || packet.flag("later-fragment")) return null;
    const { lane } = wanted.lane(packet);
    if (lane !== "block") return null;
    const { end } = walk(machine, packet);
    return end.kind === "left" ? { wanted: "refused" } : null;
  };
  // what masquerades on the way (foreign nft, not modelled) stands between lock 2 and lock 3
  const before3: Machine = { ...state.machine, nft: state.machine.nft.filter((t) => t.family === "inet") };
  const containers =
    state.name === "connected"
      ? coming(state).filter((c) => c.origin.kind !== "socket" && inner.has(c.origin.device))
      : [];
  const tunnel: Origin[] = state.plan.link === null ? [] : [{ kind: "arriving", device: state.plan.link.name }];
  return joined(
    judged(
      state,
      "P10",
      containers,
      (packet, machine) => judgeForwarded(state, packet, machine),
      { kind: "model" },
      before3,
    ),
    judged(state, "P10", coming(state), others),
    judged(state, "P10", starts(state, tunnel), fromNode),
  );
}

/** A container's packet goes where its first rule says. */
function judgeForwarded(state: State, packet: Packet, machine: Machine): ReturnType<Judge> {
  const { wanted, bare, policy, plan } = state;
  const { origin } = packet;
  if (origin.kind !== "arriving" || isOwn(packet) || wanted.isLan(packet) || wanted.isQuery(packet)) return null;
  const own = wanted.lan.some((l) => l.device === origin.device && packet.source(oneOf(l.prefix)));
  if (!own || wanted.isOutside("source", packet) || !ordinary(packet) || !packet.ct(ctStates.new)) return null;
  if (packet.family === 6 && (policy.ipv6 === "block" || packet.destination(linkLocal6) || packet.source(linkLocal6)))
    return null;
  const { lane } = wanted.lane(packet);
  if (unsayable(policy) && packet.dport(65535, 65535)) return null;
  const walked = walk(machine, packet);
  const { end } = walked;
  const inTunnel = end.kind === "left" && machine.links.get(end.device)?.tunnel === true;
  if (lane === "tunnel") {
    if (!wanted.carries(packet) || (packet.family === 6 && (plan.link?.mtu ?? 0) < minMtu)) return null;
    return inTunnel || leftOut(state, packet) || outranked(state, packet, walked) ? null : { wanted: "tunnel" };
  }
  if (lane === "block") return end.kind === "left" ? { wanted: "refused" } : null;
  const bareEnd = walk(bare, packet).end;
  if (bareEnd.kind !== "left" || !bareEnd.gateway || !numbered(state, packet.family)) return null;
  return end.kind === "left" && !inTunnel ? null : { wanted: say(bareEnd) };
}

function judged(
  state: State,
  property: Property,
  from: readonly Cube[],
  judge: Judge,
  routing: Routing = { kind: "model" },
  machine: Machine = state.machine,
): Looked {
  const findings: Finding[] = [];
  const classes = explore(state.classes, from, (packet, leaf) => {
    const data = judge(packet, machine);
    if (data)
      findings.push({
        property,
        fault: "none",
        machine,
        routing,
        cube: leaf(),
        data,
      });
    return findings.length >= enough;
  });
  return { findings, classes };
}

const joined = (...all: readonly Looked[]): Looked => ({
  findings: all.flatMap((l) => l.findings),
  classes: all.reduce((sum, l) => sum + l.classes, 0),
});

const unmarked = { mask: 0xffff_ffff, value: 0, not: [] } as const;
/** Our bits as said, the others free: they are other programs' (they are masked off in every rule of ours). */
const marked = (cube: Cube, mark: number): Cube => ({ ...cube, mark: { mask: markMask, value: mark, not: [] } });

const hasSource = (packet: Packet): boolean => packet.origin.kind === "socket" && packet.origin.source === "set";
const unset = (cube: Cube): boolean => cube.origin.kind === "socket" && cube.origin.source === "unset";
const fresh = (packet: Packet): boolean => packet.ct(ctStates.new | ctStates.establishedOriginal);
const sourceRouted = (packet: Packet): boolean =>
  packet.family === 4 ? packet.flag("lsrr") || packet.flag("ssrr") : packet.flag("routing-header");

/** For an address of this machine. */
const isOwn = (packet: Packet): boolean => packet.covering(localTable)[0]?.type === "local";

/** Not multicast, broadcast or the like. */
function farOff(packet: Packet, side: "source" | "destination" = "destination"): boolean {
  return (side === "source" || packet.covering(localTable).length === 0) && !isToMany(packet, side);
}

/** What programs send: whole, to somebody far, on a connection of their own, and not the link's own protocols. */
function ordinary(packet: Packet): boolean {
  if (!farOff(packet) || !fresh(packet) || sourceRouted(packet) || packet.flag("later-fragment")) return false;
  if (packet.family === 4 ? packet.protocol(2, 2) : packet.protocol(58, 58) && packet.icmpType(130, 255)) return false;
  if (!packet.protocol(17, 17)) return true;
  return packet.family === 4 ? !packet.sport(68, 68) : !packet.sport(546, 546);
}

/** A name that ends in `*` is a prefix to nft: no line can be for it alone, so nothing passes by it. */
const sayable = (device: string): boolean => !device.endsWith("*");

/** Uplinks without an address of their own borrow one from another link: what then arrives where is not promised. */
function numbered({ facts }: State, family: Family): boolean {
  return uplinksOf(facts).every(
    (name) =>
      sayable(name) &&
      facts.addresses.some((a) => a.link === name && a.scope === "global" && familyOf(a.address) === family),
  );
}

/** The one link that has the source address and whose network no other link claims, too; null where that is not clear. */
function holder(machine: Machine, packet: Packet): string | null {
  const outside = machine.addresses.filter((a) => machine.links.get(a.link)?.tunnel === false && a.scope === "global");
  const mine = outside.filter((a) => packet.source(oneOf(hostPrefix(a.address))));
  const network = (a: (typeof outside)[number]): Prefix => networkOf(`${a.address}/${a.length}` as InterfaceAddress);
  const [own] = mine;
  if (own === undefined) return null;
  const rivals = outside.filter((a) => a.link !== own.link && overlaps(network(a), network(own)));
  return rivals.length > 0 || !sayable(own.link) ? null : own.link;
}

/** Whether strangers can have come in on the device: it has a default route, so the way back is an uplink's own. */
function reaches({ facts }: State, device: string, family: Family): boolean {
  return facts.routes.some(
    (r) =>
      r.family === family &&
      r.table === mainTable &&
      r.prefix.endsWith("/0") &&
      r.legs.some((leg) => leg.dev === device),
  );
}

/** Callers of the local network are not strangers. */
function inNeighbourhood(state: State, packet: Packet): boolean {
  return state.wanted.lan.some((l) => packet.source(oneOf(l.prefix)));
}

function coming(state: State): Cube[] {
  const origins: Origin[] = state.devices
    .filter((device) => state.machine.links.has(device))
    .map((device) => ({ kind: "arriving", device }));
  return starts(state, origins);
}

const same = (end: End, want: End): boolean =>
  end.kind === "left" && want.kind === "left" && end.device === want.device && end.gateway === want.gateway;

function say(end: End): string {
  if (end.kind !== "left") return end.kind;
  return end.gateway ? `${end.device} via ${end.gateway}` : end.device;
}
