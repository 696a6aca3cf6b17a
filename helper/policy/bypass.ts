// What goes round the tunnel by its nature: the engine's own packets, and the honoured networks that are on-link.
import { covers, familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Family } from "../contract/prefix.ts";
import { firstMetric, mainTable, markMask, marks, priorities, tables } from "../plan/numbers.ts";
import type { PlanRoute, PlanRule } from "../plan/plan.ts";
import type { Ground } from "./ground.ts";
import { outOf } from "./tunnel.ts";
import type { Way } from "./uplinks.ts";

const engineMark = { value: marks.engine, mask: markMask } as const;

/**
 * Only the endpoints' host routes: a route that a network pushed into main cannot move them (TunnelVision). What carries
 * the mark and goes anywhere else ends at the stop, so it can neither loop into the tunnel nor leave (P2).
 */
export function engineRules(family: Family): readonly PlanRule[] {
  const { engine, engineStop } = priorities;
  return [
    { family, priority: engine, mark: engineMark, action: { kind: "lookup", table: tables.engine } },
    { family, priority: engineStop, mark: engineMark, action: { kind: "unreachable" } },
  ];
}

export function engineRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  const addresses = [...new Set(ground.endpoints.map((e) => e.address))].filter((a) => familyOf(a) === family);
  return addresses.flatMap((address) =>
    waysTo(ground, address).map((way, i) => outOf(way, tables.engine, hostPrefix(address), firstMetric + i)),
  );
}

/** The ways to an address outside: a link that is on it, else every uplink, best first, each by its own gateway. */
export function waysTo(ground: Ground, address: Address): readonly Way[] {
  const family = familyOf(address);
  const onLink = ground.links.filter((link) => link.neighbours.some((prefix) => covers(prefix, address)));
  if (onLink.length > 0) return onLink.map((link) => ({ family, dev: link.name, via: null }));
  const seen = new Set<string>();
  return ground.ways.filter((way) => {
    const fresh = way.family === family && !seen.has(way.dev);
    seen.add(fresh ? way.dev : "");
    return fresh;
  });
}

/** In mode "only" main is the truth about the LAN, too; rules of the policy must not come before it all the same. */
export function lanRules(ground: Ground, family: Family): readonly PlanRule[] {
  const mine = ground.lan.filter((l) => familyOf(l.prefix) === family);
  const priority = priorities.lan;
  if (!ground.only)
    return mine.length === 0 ? [] : [{ family, priority, action: { kind: "lookup", table: tables.lan } }];
  const each = [...new Set(mine.map((l) => l.prefix))];
  return each.map((to) => ({ family, priority, to, action: { kind: "lookup", table: mainTable } }));
}

/** Copies without source: a copy with one would outlive the address it names (9.7). */
export function lanRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  if (ground.only) return [];
  const sharers = new Map<string, number>();
  const mine = ground.lan.filter((l) => familyOf(l.prefix) === family);
  return mine.map(({ link, prefix }) => {
    const turn = sharers.get(prefix) ?? 0;
    sharers.set(prefix, turn + 1);
    return outOf({ family, dev: link, via: null }, tables.lan, prefix, firstMetric + turn);
  });
}
