// Routes that differ in nothing but their prefix, held as one: a plan with a million prefixes is a handful of these, and
// nothing is made for each of its routes.
import type { Address, Prefix } from "../contract/prefix.ts";
import type { Facts } from "../plan/facts.ts";
import type { Plan, PlanRoute } from "../plan/plan.ts";
import type { Route } from "./machine.ts";
import { coversQuickly } from "./words.ts";

export interface Bundle {
  /** The first of them. */
  readonly route: Route;
  readonly prefixes: readonly Prefix[];
}

export const single = (route: Route): Bundle => ({ route, prefixes: [route.prefix] });

/** In the order of each one's first route; no two routes of a plan have table, prefix and metric in common. */
export function bundlesOf(routes: readonly PlanRoute[], read: (route: PlanRoute) => Route): Bundle[] {
  return grouped(routes).map((group) => ({ route: read(group.first), prefixes: group.prefixes }));
}

/** The routes that cover one of these addresses. */
export function routesTo(bundles: readonly Bundle[], addresses: readonly Address[]): Route[] {
  return bundles.flatMap(({ route, prefixes }) =>
    prefixes
      .filter((prefix) => addresses.some((address) => coversQuickly(prefix, address)))
      .map((prefix) => ({ ...route, prefix })),
  );
}

/**
 * The plan with few routes of each kind: those whose prefix a route of the machine has, and two more. What is said of each
 * route by itself is said of these or of none.
 */
export function thinned(plan: Plan, facts: Facts): Plan {
  const theirs = new Set<Prefix>(facts.routes.map((route) => route.prefix));
  const routes = grouped(plan.routes).flatMap(({ first, prefixes }) => {
    if (prefixes.length <= fewRoutes) return prefixes.map((prefix) => ({ ...first, prefix }));
    const shared = prefixes.filter((prefix) => theirs.has(prefix));
    return [...new Set([...prefixes.slice(0, 2), ...shared])].map((prefix) => ({ ...first, prefix }));
  });
  return { ...plan, routes };
}

const fewRoutes = 64;

interface Group {
  readonly first: PlanRoute;
  readonly prefixes: Prefix[];
}

function grouped(routes: readonly PlanRoute[]): Group[] {
  const groups: Group[] = [];
  const byKey = new Map<string, Group>();
  // routes of a set stand together, a stop and a way in turn
  let last: Group | undefined;
  let before: Group | undefined;
  for (const route of routes) {
    let group: Group | undefined = last !== undefined && alike(last.first, route) ? last : undefined;
    if (group === undefined && before !== undefined && alike(before.first, route)) group = before;
    if (group === undefined) {
      const { family, table, metric, to } = route;
      const key = `${family} ${table} ${metric} ${JSON.stringify(to)}`;
      group = byKey.get(key);
      if (group === undefined) {
        group = { first: route, prefixes: [] };
        byKey.set(key, group);
        groups.push(group);
      }
    }
    group.prefixes.push(route.prefix);
    if (group !== last) [last, before] = [group, last];
  }
  return groups;
}

function alike(a: PlanRoute, b: PlanRoute): boolean {
  if (a.table !== b.table || a.metric !== b.metric || a.family !== b.family) return false;
  if (a.to === b.to) return true;
  if (a.to.kind === "nexthop") return b.to.kind === "nexthop" && a.to.id === b.to.id;
  if (a.to.kind !== "dev") return a.to.kind === b.to.kind;
  const { dev, via, onlink, src } = a.to;
  return b.to.kind === "dev" && dev === b.to.dev && via === b.to.via && onlink === b.to.onlink && src === b.to.src;
}
