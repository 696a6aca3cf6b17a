// The way from the machine as it was read to the plan, as single steps. What is not Culvert's own is never touched:
// link culvert0, tables 7600-7699 and what forms.ts knows as ours in main, rules 4000-4999 of `proto kernel`, nexthop ids 7600-7699 of `proto kernel`, and the
// sysctls that the plan names. nft is not compared here: its chains are written whole and in place (kernel/README A).
//
// Order, so that no step opens a hole (P9; 11.1: delete before add lets packets slip, add before delete none):
//   sysctls → link → addresses → nexthops → routes, stops first → rules: engine, stop, catch-all, then exceptions with
//   rising priority → rules gone: exceptions with falling priority, catch-all, stop, engine → routes gone → nexthops
//   gone → addresses gone → link gone.
// Exceptions come last and go first because each of them is a way round the catch-all; among them the earlier one may
// be the `block` that guards the later `direct`, so it is laid before it and taken after it.
import type { InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { Facts, RouteFact, RuleFact } from "./facts.ts";
import { isOwnRoute } from "./forms.ts";
import { linkName, nexthopIds, priorities, protocolKernel, ranges } from "./numbers.ts";
import type { Plan, PlanLink, PlanNexthop, PlanRoute, PlanRule } from "./plan.ts";

/** One change of the machine; each equals one `ip` or `sysctl` command (print.ts). The link itself is made by openTun. */
export type Operation =
  | { readonly kind: "sysctl.set"; readonly key: string; readonly value: string }
  /** Sets MTU and queue length and puts it up. */
  | { readonly kind: "link.set"; readonly name: string; readonly mtu: number; readonly txQueueLen: number }
  | { readonly kind: "link.del"; readonly name: string }
  /** With IFA_F_NOPREFIXROUTE: the kernel would put a route of its own into main. */
  | { readonly kind: "address.add" | "address.del"; readonly link: string; readonly address: InterfaceAddress }
  | { readonly kind: "nexthop.replace"; readonly nexthop: PlanNexthop }
  | { readonly kind: "nexthop.del"; readonly id: number }
  /** NLM_F_CREATE | NLM_F_REPLACE: key is family, table, prefix, metric (tos 0). */
  | { readonly kind: "route.replace"; readonly route: PlanRoute }
  /** Carries the whole reading: several routes may share a key, and only the one that is not wanted must go. */
  | { readonly kind: "route.del"; readonly route: RouteFact }
  /** NLM_F_CREATE | NLM_F_EXCL, `protocol kernel`. */
  | { readonly kind: "rule.add"; readonly rule: PlanRule }
  /** The kernel takes the first rule that has all the selectors named, so all of them are to be named. */
  | { readonly kind: "rule.del"; readonly rule: RuleFact };

export function diff(plan: Plan, facts: Facts): Operation[] {
  const routes = diffRoutes(plan, facts);
  const rules = diffRules(plan, facts);
  const nexthops = diffNexthops(plan, facts);
  const addresses = diffAddresses(plan, facts);
  return [
    ...plan.sysctls
      .filter((s) => facts.sysctls[s.key] !== s.value)
      .map((s): Operation => ({ kind: "sysctl.set", key: s.key, value: s.value })),
    ...(plan.link === null ? [] : diffLink(plan.link, facts)),
    ...addresses.add,
    ...nexthops.add,
    ...routes.add,
    ...rules.add,
    ...rules.del,
    ...routes.del,
    ...nexthops.del,
    ...addresses.del,
    ...(plan.link === null && facts.links.some((l) => l.name === linkName)
      ? [{ kind: "link.del", name: linkName } as const]
      : []),
  ];
}

/** Whether a route that was read is the one that is wanted. The read-back of apply asks the same question. */
export function sameRoute(want: PlanRoute, have: RouteFact): boolean {
  if (want.table !== have.table || want.prefix !== have.prefix || want.metric !== have.metric) return false;
  if (have.protocol !== protocolKernel || have.tos !== 0 || have.from !== null) return false;
  switch (want.to.kind) {
    case "nexthop":
      // IPv4 tells a route to a blackhole object as a blackhole (fib_dump_info), IPv6 as unicast
      return ["unicast", "blackhole"].includes(have.type) && have.nexthop === want.to.id;
    case "dev": {
      const leg = have.legs[0];
      return (
        have.type === "unicast" &&
        have.nexthop === null &&
        have.legs.length === 1 &&
        leg?.dev === want.to.dev &&
        leg.via === want.to.via &&
        leg.onlink === want.to.onlink &&
        have.src === want.to.src
      );
    }
    default:
      return have.type === want.to.kind;
  }
}

export function sameRule(want: PlanRule, have: RuleFact): boolean {
  return ruleKey(want) === factKey(have);
}

interface Steps {
  readonly add: readonly Operation[];
  readonly del: readonly Operation[];
}

function diffLink(want: PlanLink, facts: Facts): readonly Operation[] {
  const have = facts.links.find((l) => l.name === want.name);
  if (have?.up === true && have.mtu === want.mtu) return [];
  return [{ kind: "link.set", name: want.name, mtu: want.mtu, txQueueLen: want.txQueueLen }];
}

function diffAddresses(plan: Plan, facts: Facts): Steps {
  if (plan.link === null) return { add: [], del: [] };
  const link = plan.link.name;
  const want = new Set(plan.link.addresses);
  const have = new Set(facts.addresses.filter((a) => a.link === link).map((a) => a.address));
  return {
    add: [...want].filter((a) => !have.has(a)).map((address) => ({ kind: "address.add", link, address })),
    del: [...have].filter((a) => !want.has(a)).map((address) => ({ kind: "address.del", link, address })),
  };
}

function diffNexthops(plan: Plan, facts: Facts): Steps {
  const have = new Map(facts.nexthops.map((n) => [n.id, n]));
  const want = new Set(plan.nexthops.map((n) => n.id));
  const same = (n: PlanNexthop): boolean => {
    const h = have.get(n.id);
    if (h === undefined || h.family !== n.family || h.protocol !== protocolKernel || h.group.length > 0) return false;
    if (n.to.kind === "blackhole") return h.blackhole;
    return !h.blackhole && h.dev === n.to.dev && h.via === n.to.via;
  };
  return {
    add: plan.nexthops.filter((n) => !same(n)).map((nexthop) => ({ kind: "nexthop.replace", nexthop })),
    del: facts.nexthops
      .filter((n) => nexthopIds.first <= n.id && n.id <= nexthopIds.last)
      .filter((n) => n.protocol === protocolKernel && !want.has(n.id))
      .map((n) => ({ kind: "nexthop.del", id: n.id })),
  };
}

function diffRoutes(plan: Plan, facts: Facts): Steps {
  const have = byPlace(facts.routes.filter(isOwnRoute));
  const stops: Operation[] = [];
  const ways: Operation[] = [];
  const del: Operation[] = [];
  for (const want of plan.routes) {
    const mine = have.get(placeOf(want));
    const there = mine === undefined ? undefined : take(mine, want.prefix);
    const at = Array.isArray(there) ? there.findIndex((route) => sameRoute(want, route)) : -1;
    const kept = at >= 0 || (there !== undefined && !Array.isArray(there) && sameRoute(want, there));
    if (!kept) (isStop(want) ? stops : ways).push({ kind: "route.replace", route: want });
    // replace takes the first of its key; further ones under the same key are nobody's and go
    const surplus = Array.isArray(there) ? there.filter((_, i) => i !== Math.max(at, 0)) : [];
    for (const route of surplus) del.push({ kind: "route.del", route });
  }
  for (const mine of have.values())
    for (const rest of mine.rest?.values() ?? mine.routes.slice(mine.next))
      for (const route of Array.isArray(rest) ? rest : [rest]) del.push({ kind: "route.del", route });
  return { add: [...stops, ...ways], del };
}

/**
 * Routes of one table and metric, in the order they were read. A plan says the prefixes of a set in the order in which the
 * kernel lists them, so nearly always the next one is the one looked for; only where it is not are the others looked up.
 */
interface Place {
  readonly routes: RouteFact[];
  next: number;
  /** By prefix; nearly always one route has it to itself. */
  rest: Map<Prefix, RouteFact | RouteFact[]> | null;
}

function byPlace(routes: readonly RouteFact[]): Map<number, Place> {
  const all = new Map<number, Place>();
  for (const route of routes) {
    const place = placeOf(route);
    const mine = all.get(place);
    if (mine === undefined) all.set(place, { routes: [route], next: 0, rest: null });
    else mine.routes.push(route);
  }
  return all;
}

/** The routes with this prefix, which are then no part of the place any more. */
function take(place: Place, prefix: Prefix): RouteFact | RouteFact[] | undefined {
  if (place.rest === null) {
    const route = place.routes[place.next];
    if (route?.prefix === prefix && place.routes[place.next + 1]?.prefix !== prefix) {
      place.next += 1;
      return route;
    }
    place.rest = byPrefix(place.routes.slice(place.next));
  }
  const found = place.rest.get(prefix);
  place.rest.delete(prefix);
  return found;
}

function byPrefix(routes: readonly RouteFact[]): Map<Prefix, RouteFact | RouteFact[]> {
  const all = new Map<Prefix, RouteFact | RouteFact[]>();
  for (const route of routes) {
    const other = all.get(route.prefix);
    if (other === undefined) all.set(route.prefix, route);
    else if (Array.isArray(other)) other.push(route);
    else all.set(route.prefix, [other, route]);
  }
  return all;
}

/** A prefix says its family. */
const placeOf = ({ table, metric }: Pick<PlanRoute, "table" | "metric">): number => table * 2 ** 32 + metric;

function diffRules(plan: Plan, facts: Facts): Steps {
  const ours = facts.rules.filter(isOurs);
  const have = new Set(ours.map(factKey));
  const want = new Set(plan.rules.map(ruleKey));
  const add = plan.rules
    .filter((r) => !have.has(ruleKey(r)))
    .sort((a, b) => turn(a.priority) - turn(b.priority) || a.priority - b.priority);
  const del = ours
    .filter((r) => !want.has(factKey(r)))
    .sort((a, b) => turn(b.priority) - turn(a.priority) || b.priority - a.priority);
  return {
    add: add.map((rule) => ({ kind: "rule.add", rule })),
    del: del.map((rule) => ({ kind: "rule.del", rule })),
  };
}

/** Which rules are laid first: the engine's, then what closes, then what goes round it. Taken in the other order. */
function turn(priority: number): number {
  if (priority <= priorities.engineStop) return 0;
  return priority >= priorities.catchAll ? 1 : 2;
}

function isOurs(rule: RuleFact): boolean {
  return (
    rule.protocol === protocolKernel && ranges.firstPriority <= rule.priority && rule.priority <= ranges.lastPriority
  );
}

function isStop(route: PlanRoute): boolean {
  return route.to.kind !== "dev" && route.to.kind !== "nexthop";
}

type Selectors = Omit<PlanRule, "family" | "priority" | "action">;

function ruleKey(rule: PlanRule): string {
  return keyOf(rule.family, rule.priority, rule, rule.action);
}

function factKey(rule: RuleFact): string {
  const selectors = {
    ...(rule.from !== null && { from: rule.from }),
    ...(rule.to !== null && { to: rule.to }),
    ...(rule.iif !== null && { iif: rule.iif }),
    ...(rule.oif !== null && { oif: rule.oif }),
    ...(rule.mark !== null && { mark: rule.mark }),
    ...(rule.uids !== null && { uids: rule.uids }),
    ...(rule.ipProtocol !== null && { protocol: rule.ipProtocol }),
    ...(rule.sport !== null && { sport: rule.sport }),
    ...(rule.dport !== null && { dport: rule.dport }),
  };
  // what a plan cannot say makes the key unlike any of the plan's
  const foreign = rule.not || rule.tos !== 0 || rule.suppressPrefixLength !== null;
  return keyOf(rule.family, rule.priority, selectors, rule.action) + (foreign ? " not sayable" : "");
}

function keyOf(family: number, priority: number, s: Selectors, action: RuleFact["action"]): string {
  const range = (r?: { readonly from: number; readonly to: number }) => (r === undefined ? "-" : `${r.from}-${r.to}`);
  const mark = s.mark === undefined ? "-" : `${s.mark.value >>> 0}/${s.mark.mask >>> 0}`;
  const end =
    action.kind === "lookup" ? action.table : action.kind === "goto" ? `goto ${action.priority}` : action.kind;
  const selectors = [s.from ?? "-", s.to ?? "-", s.iif ?? "-", s.oif ?? "-", mark, s.protocol ?? "-"];
  return [family, priority, ...selectors, range(s.uids), range(s.sport), range(s.dport), end].join(" ");
}
