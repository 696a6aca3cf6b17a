// The routing decision: rules in order, each table by longest prefix and metric, for both families, with what Linux does
// differently for sockets that name a device. Numbers at the lines are those of the kernel findings.
import { hostPrefix, lengthOf, type Address, type Family, type Prefix } from "../contract/prefix.ts";
import type { RuleFact } from "../plan/facts.ts";
import { legsOf, type Leg, loopbackName, loopbackUp, present, usableLink } from "./alive.ts";
import { askedBy, namesDevices, type Asked, type AskedRule, type Flow } from "./asked.ts";
import { ownRule, type Machine, type Route } from "./machine.ts";
import type { Packet, PrefixSet } from "./packet.ts";

export type Decision =
  /** `device` null: the packet is for this machine */
  | {
      readonly kind: "route";
      readonly device: string | null;
      readonly gateway: Address | null;
      readonly route: Route | null;
      readonly rule: RuleFact | null;
      readonly via: "table" | "on-link" | "multicast";
    }
  | { readonly kind: "refused"; readonly errno: Errno; readonly route: Route | null; readonly rule: RuleFact | null };

export type Errno = "ENETUNREACH" | "EHOSTUNREACH" | "EACCES" | "EINVAL";

/** 1.5: the errno of a route that refuses; 1.6: of a rule that does. */
const routeErrno = { unreachable: "EHOSTUNREACH", prohibit: "EACCES", blackhole: "EINVAL" } as const;
const ruleErrno = { unreachable: "ENETUNREACH", prohibit: "EACCES", blackhole: "EINVAL" } as const;

export function lookup(machine: Machine, packet: Packet, flow: Flow): Decision {
  const asked = askedBy(machine, packet, flow);
  return packet.summed(asked, (one) => decide(machine, one, flow, asked), endOf);
}

function decide(machine: Machine, packet: Packet, flow: Flow, asked: Asked): Decision {
  const early = packet.family === 4 ? multicastByDevice(machine, packet, flow) : undefined;
  if (early) return early;
  const found = byRules(machine, packet, flow, asked);
  if (found.kind === "refused" && packet.family === 4 && flow.oif !== null && flow.iif === null) {
    // B, 3.2, 3.4, 3.7, 3.12: IPv4 takes any failed lookup with a device for "on link"
    if (!usableLink(machine, flow.oif)) return found;
    return { kind: "route", device: flow.oif, gateway: null, route: null, rule: found.rule, via: "on-link" };
  }
  return found;
}

const singles = new Map<Prefix, PrefixSet>();
/** One prefix as a question. Kept, because rules ask the same few again and again; emptied before it grows large. */
export function oneOf(prefix: Prefix): PrefixSet {
  const known = singles.get(prefix);
  if (known) return known;
  if (singles.size > 10_000) singles.clear();
  const made = { key: prefix, prefixes: [prefix] };
  singles.set(prefix, made);
  return made;
}

export const multicast4 = oneOf("224.0.0.0/4" as Prefix);
export const localMulticast4 = oneOf("224.0.0.0/24" as Prefix);
export const broadcast4 = oneOf("255.255.255.255/32" as Prefix);
export const multicast6 = oneOf("ff00::/8" as Prefix);
export const linkLocal6 = oneOf("fe80::/10" as Prefix);

/** Multicast or broadcast. */
export function isToMany(packet: Packet, side: "source" | "destination"): boolean {
  return packet.family === 4 ? packet[side](multicast4) || packet[side](broadcast4) : packet[side](multicast6);
}

/**
 * 7.5: IPv4 multicast and broadcast of a socket that names its device, or whose source is an address of the machine, leave
 * by that device without any rule (ip_route_output_key_hash_rcu, before fib_lookup).
 */
function multicastByDevice(machine: Machine, packet: Packet, flow: Flow): Decision | undefined {
  if (flow.iif !== null) return undefined;
  const out = (device: string): Decision => ({
    ...{ kind: "route", device, gateway: null, route: null, rule: null, via: "multicast" },
  });
  if (flow.oif !== null) {
    if (!usableLink(machine, flow.oif)) return { kind: "refused", errno: "ENETUNREACH", route: null, rule: null };
    if (packet.destination(localMulticast4) || packet.destination(broadcast4)) return out(flow.oif);
    return undefined;
  }
  if (!flow.sourceKnown || !(packet.destination(multicast4) || packet.destination(broadcast4))) return undefined;
  for (const { link, address } of machine.addresses)
    if (!address.includes(":") && usableLink(machine, link) && packet.source(oneOf(hostPrefix(address))))
      return out(link);
  return undefined;
}

/** What a packet's further way depends on, and whose route or rule it was, if not ours (outranked.ts). */
const endOf = (decision: Decision | undefined): string => {
  if (decision === undefined) return "none";
  const { rule, route } = decision;
  const ours = rule === null || ownRule(rule) || route?.planned === true;
  const whose = ours ? "ours" : `${rule.priority} ${route?.table ?? ""} ${route?.prefix ?? ""} ${route?.metric ?? ""}`;
  if (decision.kind === "refused") return `${decision.errno} ${whose}`;
  return `${decision.device ?? "/"} ${decision.gateway ?? ""} ${route?.src ?? ""} ${whose}`;
};

function byRules(machine: Machine, packet: Packet, flow: Flow, { rules }: Asked): Decision {
  const found = rules.some(({ rule }) => rule.action.kind === "goto")
    ? withJumps(machine, packet, flow, rules)
    : packet.firstOf(rules, (asked, one) => ofRule(machine, one, flow, asked), endOf);
  // 9.10: no rule answers, nothing is routed
  return found ?? { kind: "refused", errno: "ENETUNREACH", route: null, rule: null };
}

function withJumps(machine: Machine, packet: Packet, flow: Flow, rules: readonly AskedRule[]): Decision | undefined {
  let jump: number | null = null;
  for (const asked of rules) {
    const { rule } = asked;
    if (jump !== null && rule.priority < jump) continue;
    jump = null;
    const { action } = rule;
    if (action.kind !== "goto") {
      const found = ofRule(machine, packet, flow, asked);
      if (found) return found;
    } else if (
      isMeant(machine, packet, flow, asked) &&
      // 1.8: a goto to a preference that is not there is skipped
      machine.rules.some((r) => r.family === rule.family && r.priority === action.priority)
    )
      jump = action.priority;
  }
  return undefined;
}

/** undefined: the next rule decides. */
function ofRule(machine: Machine, packet: Packet, flow: Flow, asked: AskedRule): Decision | undefined {
  const { rule } = asked;
  const { action } = rule;
  if (action.kind === "nop" || action.kind === "goto" || !isMeant(machine, packet, flow, asked)) return undefined;
  if (action.kind === "lookup") return inTable(machine, packet, flow, action.table, asked);
  return { kind: "refused", errno: ruleErrno[action.kind], route: null, rule };
}

function isMeant(machine: Machine, packet: Packet, flow: Flow, { rule, selects }: AskedRule): boolean {
  return packet.summed(selects, (one) => matches(rule, one, flow, machine)) !== rule.not;
}

function matches(rule: RuleFact, packet: Packet, flow: Flow, machine: Machine): boolean {
  if (!namesDevices(rule, flow, machine)) return false;
  if (rule.mark && !packet.mark(rule.mark.mask, rule.mark.value)) return false;
  if (rule.to && !packet.destination(oneOf(rule.to))) return false;
  if (rule.from && !fromMatches(rule.from, packet, flow)) return false;
  // 2.28: packets of the kernel count as uid 0; forwarded ones have no uid at all
  if (rule.uids && flow.iif !== null) return false;
  if (rule.uids && (flow.kernel ? rule.uids.from > 0 : !packet.uid(rule.uids.from, rule.uids.to))) return false;
  if (rule.tos !== 0 && !packet.flag(`tos-${rule.tos}`)) return false;
  return portsMatch(rule, packet, flow);
}

/**
 * 3.13: a source that is yet to be chosen matches no `from`. But IPv4 asks with 0.0.0.0, so a prefix that begins there
 * (0.0.0.0/1) matches it all the same; found by the model bench.
 */
function fromMatches(from: Prefix, packet: Packet, flow: Flow): boolean {
  if (from.endsWith("/0")) return true;
  if (!flow.sourceKnown) return packet.family === 4 && from.startsWith("0.0.0.0/");
  return packet.source(oneOf(from));
}

const hasPorts = (rule: RuleFact): boolean => rule.ipProtocol !== null || rule.sport !== null || rule.dport !== null;

/**
 * A packet that is routed again is taken apart for protocol and ports only where a rule of its family asks for them that
 * is not for packets made here (fib_rule_requires_fldissect leaves `iif lo` out); found by the model bench.
 */
export function takenApart(machine: Machine, family: Family): boolean {
  return machine.rules.some((rule) => rule.family === family && hasPorts(rule) && rule.iif !== loopbackName(machine));
}

function portsMatch(rule: RuleFact, packet: Packet, flow: Flow): boolean {
  if (!hasPorts(rule)) return true;
  if (flow.portless === true) return false;
  // L, 8.7, 13.10: IP_HDRINCL is routed as protocol 255 without ports
  if (flow.iif === null && flow.sourceKnown && packet.flag("header-included")) return rule.ipProtocol === 255;
  if (rule.ipProtocol !== null && !packet.protocol(rule.ipProtocol, rule.ipProtocol)) return false;
  if (rule.sport && !(withPorts(packet) && packet.sport(rule.sport.from, rule.sport.to))) return false;
  return !(rule.dport && !(withPorts(packet) && packet.dport(rule.dport.from, rule.dport.to)));
}

/** 13.8, 13.9: TCP, UDP and UDP-Lite show their ports to rules, raw SCTP does not. */
const withPorts = (packet: Packet): boolean =>
  packet.protocol(6, 6) || packet.protocol(17, 17) || packet.protocol(136, 136);

/** undefined: nothing here, the next rule decides (1.1-1.4). */
function inTable(machine: Machine, packet: Packet, flow: Flow, table: number, asked: AskedRule): Decision | undefined {
  return packet.summed(asked.table, (one) => ofTable(machine, one, flow, table, asked.rule), endOf);
}

function ofTable(machine: Machine, packet: Packet, flow: Flow, table: number, rule: RuleFact): Decision | undefined {
  const routes = packet.covering(table).filter((route) => present(machine, route));
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i] as Route;
    if (route.tos !== 0 && !packet.flag(`tos-${route.tos}`)) continue;
    if (route.from && (!flow.sourceKnown || !packet.source(oneOf(route.from)))) continue;
    const refusing = route.type === "unreachable" || route.type === "prohibit" || route.type === "blackhole";
    const legs = legsOf(machine, route).filter((leg) => reaches(leg, packet.family, flow));
    if (refusing || route.type === "throw") {
      // C, 1.18: these routes of IPv6 sit on lo and go with it; B, 3.5: a socket bound to a device does not meet them
      if (packet.family === 6 && (!loopbackUp(machine) || flow.oif !== null)) continue;
      if (route.type === "throw") return undefined;
      return { kind: "refused", errno: routeErrno[route.type], route, rule };
    }
    if (legs.length === 0) continue;
    // 13.1, 13.2: multipath is a hash over addresses, every leg is a possible way; so are equal IPv6 routes
    const leg = packet.choose(`leg of ${route.prefix} in ${table}`, legs as [Leg, ...Leg[]]);
    if (leg.dev === null) return { kind: "refused", errno: "EINVAL", route, rule };
    const rival = packet.family === 6 ? equalRival(machine, routes, i, flow) : undefined;
    if (rival && packet.choose(`one of the equal routes to ${route.prefix} in ${table}`, [false, true])) continue;
    if (suppressed(rule, route)) return undefined;
    if (route.type === "local") return { kind: "route", device: null, gateway: null, route, rule, via: "table" };
    return { kind: "route", device: leg.dev, gateway: leg.via, route, rule, via: "table" };
  }
  return undefined;
}

/** A bound socket takes only legs of its device; a blackhole nexthop of IPv6 sits on lo and is skipped, too (B). */
const reaches = (leg: Leg, family: Family, flow: Flow): boolean =>
  flow.oif === null || (leg.dev === null ? family === 4 : leg.dev === flow.oif);

/** The next route with the same prefix and metric that could be taken as well (IPv6 keeps several). */
function equalRival(machine: Machine, routes: readonly Route[], at: number, flow: Flow): Route | undefined {
  const route = routes[at] as Route;
  const next = routes[at + 1];
  // both cover the destination: equal length is equal prefix
  if (next === undefined || lengthOf(next.prefix) !== lengthOf(route.prefix) || next.metric !== route.metric)
    return undefined;
  return legsOf(machine, next).some((leg) => reaches(leg, 6, flow)) ? next : undefined;
}

/** 9.8, 9.9: only a route with a device can be suppressed; an unreachable one is honoured. */
function suppressed(rule: RuleFact, route: Route): boolean {
  return rule.suppressPrefixLength !== null && lengthOf(route.prefix) <= rule.suppressPrefixLength;
}
