// P2, P3, P4, P5: what must arrive does, by its own way, and names are asked of nobody else. All with the real rules and routes
// of one state, nothing having gone wrong.
import { marks, minMtu } from "../plan/numbers.ts";
import { isToMany, linkLocal6, oneOf } from "./fib.ts";
import { uplinksOf } from "./faults.ts";
import {
  nothing,
  judged,
  joined,
  hasSource,
  isOwn,
  ordinary,
  sayable,
  numbered,
  say,
  marked,
  unset,
  fresh,
  sourceRouted,
  type Judge,
} from "./judged.ts";
import { unsayable, type Finding, type Looked } from "./leaks.ts";
import type { Machine } from "./machine.ts";
import type { Packet } from "./packet.ts";
import { leftOut, outranked } from "./outranked.ts";
import { sockets, starts, type State } from "./state.ts";
import { walk, type End, type Routing } from "./walk.ts";

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
  // what becomes of names that are led elsewhere is said by lane (name-arrivals.ts)
  if (wanted.names.laneOf(packet) !== null) return null;
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

/**
 * P5 while the tunnel is not open: the local network, and what rules send direct, arrive there as well, as policy promises;
 * while connecting the direct lane is closed yet.
 */
export function besideArrives(state: State): Looked {
  const programs = sockets(state, null, "unset").filter((o) => o.kind !== "socket" || !o.kernel);
  const all = starts(state, programs).flatMap((cube) => state.wanted.marks.map((mark) => marked(cube, mark)));
  if (state.wanted.confused !== null) return nothing;
  return judged(state, "P5", all, (packet) => judgeBeside(state, packet));
}

function judgeBeside(state: State, packet: Packet): ReturnType<Judge> {
  const { wanted, machine, bare, policy } = state;
  // who is asked first is what few packets are: the others need no walk
  const lan = wanted.isLan(packet);
  const { lane, rule } = wanted.lane(packet, false);
  if (!lan && (lane !== "direct" || (state.name === "connecting" && policy.mode !== "only"))) return null;
  if (isOwn(packet) || !ordinary(packet) || wanted.names.laneOf(packet) !== null) return null;
  if (wanted.isQuery(packet) || rule?.match.source !== undefined) return null;
  if (unsayable(policy) && packet.dport(65535, 65535)) return null;
  const { end } = walk(machine, packet);
  // at rest main alone says by whom
  if (lan && state.name !== "off") return onItsLink(state, packet, end);
  if (packet.family === 6 && (policy.ipv6 === "block" || (!lan && packet.destination(linkLocal6)))) return null;
  const bareEnd = walk(bare, packet).end;
  if (bareEnd.kind !== "left" || !numbered(state, packet.family)) return null;
  if (lan ? bareEnd.gateway !== null : !bareEnd.gateway) return null;
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

const same = (end: End, want: End): boolean =>
  end.kind === "left" && want.kind === "left" && end.device === want.device && end.gateway === want.gateway;
