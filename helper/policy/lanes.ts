// The ordered rules of a policy: each becomes a table of its prefixes and, in order, the lines of `ip rule` that say what
// else it asks (selection.ts), and the same lines in the gate (gate-lanes.ts), so routing and gate say the first match
// independently of each other.
//   tunnel  prefixes into culvert0; under each an unreachable twin, or a lost adapter would hand them to later rules (D)
//   direct  prefixes by the uplink's gateway, what is on-link by its link; if its link goes they fall to later rules, and no lane is weaker than direct
//   block   prohibit
// In IPv6 an unreachable or prohibit route sits on lo: sockets bound to a device do not see it, and it goes when lo goes
// down (B, C). There stops are rules right after the table, one a prefix; of sets too large for that, blackhole nexthops.
//
// The LAN stands before the rules, but for what a rule says of it in so many words (`near`): a destination that lies in a
// honoured network, or a block that names a program, user, source, protocol or port. Those come before it, in the same
// order. A wide prefix never takes the LAN, nor sends it to a gateway (P4).
import type { Lane, Policy, PolicyRule } from "../contract/policy.ts";
import { covers, familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import {
  firstMetric,
  firstSetTable,
  largeSet,
  lastMetric,
  linkName,
  mainTable,
  nexthops,
  priorities,
  smallSet,
  tables,
} from "../plan/numbers.ts";
import type { PlanNexthop, PlanRoute, PlanRule } from "../plan/plan.ts";
import { appGroups } from "./apps.ts";
import type { AppGroups } from "./apps.ts";
import type { Ground } from "./ground.ts";
import { emptySet, has, inside, prefixSet, within } from "./prefix-set.ts";
import type { PrefixSet } from "./prefix-set.ts";
import { routesTo } from "./set-routes.ts";
import { asksNobody, asksNothing, hasService, selectionOf, selectorsOf } from "./selection.ts";
import type { Selection } from "./selection.ts";
import { aimed, anywhere, intoTunnel, outOf, unreachable } from "./tunnel.ts";
import type { LanPrefix, OutsideLink } from "./uplinks.ts";

/** One rule of the policy with its prefixes made canonical. */
export interface LaneSet {
  readonly place: number;
  readonly rule: PolicyRule;
  readonly lane: Lane;
  /** Destinations; everything where the rule names none. */
  readonly prefixes: PrefixSet;
  readonly named: boolean;
  readonly selection: Selection;
  /** A block of more than addresses: it holds in the LAN as well. */
  readonly narrow: boolean;
  /** What of it is said of the LAN, and so stands before it. */
  readonly near: PrefixSet;
}

export function lanesOf(
  policy: Policy,
  lan: readonly LanPrefix[],
  apps: AppGroups = appGroups(policy),
): readonly LaneSet[] {
  const honoured = prefixSet(lan.map((l) => l.prefix));
  return policy.rules.map((rule, place) => {
    const { destination } = rule.match;
    const all = destination === undefined ? everywhere : prefixSet(destination);
    // IPv6 that is blocked is blocked for every lane
    const mine = (set: PrefixSet) => (policy.ipv6 === "block" ? { ...emptySet, 4: set[4] } : set);
    const selection = selectionOf(rule.match, apps.marks.get(place) ?? []);
    const narrow = rule.lane === "block" && !asksNothing(selection);
    const near = narrow ? common(all, honoured) : prefixSet(within(destination ?? [], honoured));
    const named = destination !== undefined;
    return { place, rule, lane: rule.lane, prefixes: mine(all), named, selection, narrow, near: mine(near) };
  });
}

const everywhere: PrefixSet = { 4: [anywhere[4]], 6: [anywhere[6]] };

/** What both sets cover. */
function common(one: PrefixSet, other: PrefixSet): PrefixSet {
  return prefixSet([...other[4], ...other[6]].flatMap((p) => (has(one, p) ? [p] : inside(one, p))));
}

/** Where somebody who asks names goes with it: what is said of the LAN, the LAN, the rules in order, the mode's lane. */
export function laneOf(
  ground: Pick<Ground, "lan" | "lanes" | "otherwise">,
  address: Address,
): { readonly kind: "lan"; readonly link: string } | { readonly kind: Lane } {
  const host = hostPrefix(address);
  const asked = ground.lanes.filter(
    ({ selection: s }) => asksNobody(s) && (hasService(s, 17, 53) || hasService(s, 6, 53)),
  );
  const lan = ground.lan.find((l) => covers(l.prefix, address));
  if (lan !== undefined) {
    const near = asked.find((set) => has(set.near, host));
    return near === undefined || near.lane === "direct" ? { kind: "lan", link: lan.link } : { kind: near.lane };
  }
  return { kind: asked.find((set) => has(set.prefixes, host))?.lane ?? ground.otherwise };
}

/** What rules say of the LAN, before it. */
export function nearRules(ground: Ground, family: Family): readonly PlanRule[] {
  return ground.lanes.flatMap((set) => {
    const priority = priorities.firstNear + 2 * set.place;
    const table = set.lane !== "direct" ? firstSetTable + set.place : ground.only ? mainTable : tables.lan;
    const action = { kind: "lookup", table } as const;
    const lines = selectorsOf(set.selection, family).flatMap((s) =>
      set.near[family].map((to) => ({ ...s, ...aimed(to) })),
    );
    const lookups = lines.map((line): PlanRule => ({ family, priority, ...line, action }));
    return withStops(set, family, lookups, lines);
  });
}

export function laneRules(ground: Ground, family: Family): readonly PlanRule[] {
  return ground.lanes.flatMap((set) => {
    const prefixes = set.prefixes[family];
    if (prefixes.length === 0) return [];
    const selectors = selectorsOf(set.selection, family);
    const priority = priorities.firstPolicy + 2 * set.place;
    const action = { kind: "lookup", table: firstSetTable + set.place } as const;
    const lines = selectors.flatMap((s) => prefixes.slice(0, smallSet).map((to) => ({ ...s, ...aimed(to) })));
    if (asksMain(ground, set, family))
      return lines.map((line): PlanRule => ({ family, priority, ...line, action: { ...action, table: mainTable } }));
    const lookups = selectors.map((s): PlanRule => ({ family, priority, ...s, action }));
    return withStops(set, family, lookups, lines);
  });
}

/** In mode "only" direct means as if Culvert were not there: as main says, static routes and all. */
function asksMain(ground: Ground, set: LaneSet, family: Family): boolean {
  return ground.only && set.lane === "direct" && isSmall(set, family);
}

function withStops(
  set: LaneSet,
  family: Family,
  lookups: readonly PlanRule[],
  lines: readonly Partial<PlanRule>[],
): readonly PlanRule[] {
  const [first] = lookups;
  if (first === undefined || !stopsByRule(set, family)) return lookups;
  const kind = set.lane === "block" ? "prohibit" : "unreachable";
  const stops = lines.map((s): PlanRule => ({ ...s, family, priority: first.priority + 1, action: { kind } }));
  return set.lane === "block" ? stops : [...lookups, ...stops];
}

function stopsByRule(set: LaneSet, family: Family): boolean {
  return family === 6 && set.lane !== "direct" && isSmall(set, family);
}

/** Lines of stops that one rule of the policy may bring. */
const mostStops = 256;

function isSmall(set: LaneSet, family: Family): boolean {
  const prefixes = set.prefixes[family].length;
  return prefixes <= smallSet && prefixes * selectorsOf(set.selection, family).length <= mostStops;
}

export function laneRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  return ground.lanes.flatMap((set) => {
    if (selectorsOf(set.selection, family).length === 0 || asksMain(ground, set, family)) return [];
    const near = set.lane === "direct" ? neighbourRoutes(ground, set, family) : [];
    const taken = new Set(near.map((route) => route.prefix));
    const all = set.prefixes[family];
    const far = near.length === 0 ? all : all.filter((prefix) => !taken.has(prefix));
    if (far.length === 0) return near;
    return [...near, ...routesTo(far, routesFor(ground, set, family))];
  });
}

/** Links by which a direct rule leaves: uplinks, and those on which a part of its prefixes lies. */
export function leavesBy(ground: Ground, set: LaneSet, link: OutsideLink): boolean {
  if (set.lane !== "direct") return false;
  if (ground.ways.some((way) => way.dev === link.name)) return true;
  return link.neighbours.some((near) => has(set.prefixes, near) || inside(set.prefixes, near).length > 0);
}

export function laneNexthops(ground: Ground, family: Family): readonly PlanNexthop[] {
  const large = ground.lanes.filter((set) => isLarge(ground, set, family));
  const way = ground.ways.find((w) => w.family === family);
  const out: PlanNexthop[] = [];
  if (ground.open && ground.carries[family] && large.some((set) => set.lane === "tunnel")) {
    const to = { kind: "dev", dev: linkName, via: null, onlink: false } as const;
    out.push({ id: nexthops.tunnel[family], family, to });
  }
  if (way !== undefined && large.some((set) => set.lane === "direct")) {
    const to = { kind: "dev", dev: way.dev, via: way.via, onlink: way.via !== null } as const;
    out.push({ id: nexthops.direct[family], family, to });
  }
  if (family === 6 && ground.lanes.some((set) => stopsByNexthop(ground, set, family)))
    out.push({ id: nexthops.blackhole, family, to: { kind: "blackhole" } });
  return out;
}

function stopsByNexthop(ground: Ground, set: LaneSet, family: Family): boolean {
  const counts = set.lane !== "direct" && set.prefixes[family].length > 0 && !isSmall(set, family);
  return family === 6 && counts && ground.facts.features.nexthops;
}

/** What of a direct rule lies on a link of this machine is reached there and not by a gateway. */
function neighbourRoutes(ground: Ground, set: LaneSet, family: Family): readonly PlanRoute[] {
  const sharers = new Map<Prefix, number>();
  return ground.links.flatMap((link) =>
    link.neighbours
      .filter((near) => familyOf(near) === family)
      .flatMap((near) => (has(set.prefixes, near) ? [near] : inside(set.prefixes, near)))
      .map((prefix) => {
        const turn = sharers.get(prefix) ?? 0;
        sharers.set(prefix, turn + 1);
        return outOf({ family, dev: link.name, via: null }, firstSetTable + set.place, prefix, firstMetric + turn);
      }),
  );
}

/** What is laid for each prefix of a set, said of the widest. */
function routesFor(ground: Ground, set: LaneSet, family: Family): readonly PlanRoute[] {
  const prefix = anywhere[family];
  const table = firstSetTable + set.place;
  const large = isLarge(ground, set, family);
  const by = (id: number): PlanRoute => ({ family, table, prefix, metric: firstMetric, to: { kind: "nexthop", id } });
  const blackhole = stopsByNexthop(ground, set, family) ? by(nexthops.blackhole) : undefined;
  switch (set.lane) {
    case "block":
      if (stopsByRule(set, family)) return [];
      return [blackhole ?? { family, table, prefix, metric: firstMetric, to: { kind: "prohibit" } }];
    case "tunnel": {
      const stop = blackhole === undefined ? unreachable(family, table, prefix) : { ...blackhole, metric: lastMetric };
      if (!ground.open || !ground.carries[family]) return [stop];
      return [stop, large ? by(nexthops.tunnel[family]) : intoTunnel(family, table, prefix)];
    }
    case "direct": {
      const ways = ground.ways.filter((way) => way.family === family);
      // nowhere to go: it must not be caught by a later rule of another lane
      if (ways.length === 0) return [unreachable(family, table, prefix)];
      return large ? [by(nexthops.direct[family])] : ways.map((way, i) => outOf(way, table, prefix, firstMetric + i));
    }
  }
}

function isLarge(ground: Ground, set: LaneSet, family: Family): boolean {
  return ground.facts.features.nexthops && set.prefixes[family].length > largeSet;
}
