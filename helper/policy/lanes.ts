// The ordered rules of a policy: each becomes a table of its prefixes and one `ip rule`, in order, and the same line in
// the gate (gate-inet.ts, gate-egress.ts), so routing and gate say the first match independently of each other.
//   tunnel  prefixes into culvert0; under each an unreachable twin, or a lost adapter would hand them to later rules (D)
//   direct  prefixes by the uplink's gateway, what is on-link by its link; if its link goes they fall to later rules, and no lane is weaker than direct
//   block   prohibit
// In IPv6 an unreachable or prohibit route sits on lo: sockets bound to a device do not see it, and it goes when lo goes
// down (B, C). There stops are rules right after the table, one a prefix; of sets too large for that, blackhole nexthops.
import type { Lane, Policy, PolicyRule } from "../contract/policy.ts";
import { covers, familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import {
  firstMetric,
  firstSetTable,
  largeSet,
  lastMetric,
  linkName,
  nexthops,
  priorities,
  smallSet,
} from "../plan/numbers.ts";
import type { PlanNexthop, PlanRoute, PlanRule } from "../plan/plan.ts";
import type { Ground } from "./ground.ts";
import { emptySet, has, inside, prefixSet } from "./prefix-set.ts";
import type { PrefixSet } from "./prefix-set.ts";
import { anywhere, intoTunnel, outOf, unreachable } from "./tunnel.ts";
import type { OutsideLink } from "./uplinks.ts";

/** One rule of the policy with its prefixes made canonical. */
export interface LaneSet {
  readonly place: number;
  readonly rule: PolicyRule;
  readonly lane: Lane;
  readonly prefixes: PrefixSet;
}

export function lanesOf(policy: Policy): readonly LaneSet[] {
  return policy.rules.map((rule, place) => {
    const all = prefixSet(rule.match.destination ?? [anywhere[4], anywhere[6]]);
    // IPv6 that is blocked is blocked for every lane
    const prefixes = policy.ipv6 === "block" ? { ...emptySet, 4: all[4] } : all;
    return { place, rule, lane: rule.lane, prefixes };
  });
}

/** Where a packet to the address goes: the LAN first, then the rules in order, then the tunnel. */
export function laneOf(
  ground: Pick<Ground, "lan" | "lanes">,
  address: Address,
): { readonly kind: "lan"; readonly link: string } | { readonly kind: Lane } {
  const lan = ground.lan.find((l) => covers(l.prefix, address));
  if (lan !== undefined) return { kind: "lan", link: lan.link };
  const rule = ground.lanes.find((l) => has(l.prefixes, hostPrefix(address)));
  return { kind: rule?.lane ?? "tunnel" };
}

export function laneRules(ground: Ground, family: Family): readonly PlanRule[] {
  return ground.lanes.flatMap((set) => {
    const prefixes = set.prefixes[family];
    if (prefixes.length === 0) return [];
    const priority = priorities.firstPolicy + 2 * set.place;
    const table: PlanRule = { family, priority, action: { kind: "lookup", table: firstSetTable + set.place } };
    if (!stopsByRule(set, family)) return [table];
    const kind = set.lane === "block" ? "prohibit" : "unreachable";
    const stops = prefixes.map((to): PlanRule => ({ family, priority: priority + 1, to, action: { kind } }));
    return set.lane === "block" ? stops : [table, ...stops];
  });
}

function stopsByRule(set: LaneSet, family: Family): boolean {
  return family === 6 && set.lane !== "direct" && set.prefixes[family].length <= smallSet;
}

export function laneRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  return ground.lanes.flatMap((set) => {
    const near = set.lane === "direct" ? neighbourRoutes(ground, set, family) : [];
    const taken = new Set(near.map((route) => route.prefix));
    const far = set.prefixes[family].filter((prefix) => !taken.has(prefix));
    return [...near, ...far.flatMap((prefix) => routesFor(ground, set, prefix))];
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
  const counts = set.lane !== "direct" && set.prefixes[family].length > smallSet;
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

function routesFor(ground: Ground, set: LaneSet, prefix: Prefix): readonly PlanRoute[] {
  const family = familyOf(prefix);
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
