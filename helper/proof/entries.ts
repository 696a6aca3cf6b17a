// P6, P7, P10: who may come in does and is answered by the address he came to, nothing else gets in, and what others send
// through here is held to the same lanes. All with the real rules and routes of one state, nothing having gone wrong.
import {
  hostPrefix,
  networkOf,
  overlaps,
  type Family,
  type InterfaceAddress,
  type Prefix,
} from "../contract/prefix.ts";
import { minMtu } from "../plan/numbers.ts";
import { linkLocal6, oneOf } from "./fib.ts";
import {
  judged,
  joined,
  isOwn,
  farOff,
  ordinary,
  sayable,
  numbered,
  coming,
  say,
  unmarked,
  sourceRouted,
  type Judge,
} from "./judged.ts";
import { unsayable, type Looked } from "./leaks.ts";
import { mainTable, type Machine } from "./machine.ts";
import { ctStates, type Origin, type Packet } from "./packet.ts";
import { leftOut, outranked } from "./outranked.ts";
import { sockets, starts, type State } from "./state.ts";
import { innerBridges } from "./wanted.ts";
import { walk } from "./walk.ts";

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
