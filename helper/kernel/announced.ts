// Announcements of the kernel as changes for the watch. Pure. What agrees with the plan is no change: a route of ours
// that comes, one that is not in the plan and goes. So neither our own hand nor what the kernel does in its wake (a link
// takes its addresses and routes along, unsigned) is taken for somebody else's.
import type { Prefix } from "../contract/prefix.ts";
import type { RouteFact } from "../plan/facts.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, ranges, tableName } from "../plan/numbers.ts";
import type { Plan, PlanRoute } from "../plan/plan.ts";
import { sameRoute, sameRule } from "../plan/diff.ts";
import { printOperation, protocolOf } from "../plan/print.ts";
import type { Change } from "./kernel.ts";
import type { NetlinkEvent } from "./native.ts";

/** `local`: the kernel keeps it itself, one entry for each address, which is announced too. */
const local = 255;

/** null: nothing that anybody need look at. */
export function changeOf(event: NetlinkEvent, plan: Plan | null, ours: readonly number[]): Omit<Change, "at"> | null {
  if (event.kind === "overrun") return { kind: "link", what: "announcements were lost", author: null, ours: true };
  if (ours.includes(event.author)) return null;
  const author = authorOf(event);
  switch (event.kind) {
    case "link": {
      const { name, up, mtu } = event.link;
      const as = name === linkName && (event.gone ? plan?.link == null : up && mtu === plan?.link?.mtu);
      const what = event.gone ? `ip link del dev ${name}` : `ip link set dev ${name} ${up ? "up" : "down"}`;
      return as ? null : { kind: "link", what, author, ours: name === linkName };
    }
    case "address": {
      const { link, address } = event.address;
      const wanted = link === linkName && (plan?.link?.addresses.includes(address) ?? false);
      if (link === linkName && wanted !== event.gone) return null;
      return {
        kind: "address",
        what: `ip addr ${event.gone ? "del" : "add"} ${address} dev ${link}`,
        author,
        ours: link === linkName,
      };
    }
    case "route": {
      const { route, gone } = event;
      if (route.table === local) return null;
      const wanted = planned(plan, route);
      if (isOwnRoute(route) && wanted !== gone) return null;
      return { kind: "route", what: printRoute(route, gone), author, ours: isOwnRoute(route) || wanted };
    }
    case "rule": {
      const { rule, gone } = event;
      const wanted = plan?.rules.some((r) => sameRule(r, rule)) ?? false;
      const inRange = ranges.firstPriority <= rule.priority && rule.priority <= ranges.lastPriority;
      if (inRange && wanted !== gone) return null;
      const what = printOperation({ kind: "rule.del", rule });
      const told = gone ? what : what.replace(" rule del ", " rule add ");
      return { kind: "rule", what: told, author, ours: inRange };
    }
    case "nexthop": {
      const { id } = event.nexthop;
      const wanted = plan?.nexthops.some((n) => n.id === id) ?? false;
      if (wanted && !event.gone) return null;
      return { kind: "nexthop", what: `ip nexthop ${event.gone ? "del" : "replace"} id ${id}`, author, ours: wanted };
    }
    case "nft": {
      // whatever another program does in its own tables is its own; a flush of everything names each table it takes
      const touched = event.tables.filter((t) => t.name === tableName);
      if (touched.length === 0) return null;
      const what = `nft: ${touched.map((t) => `table ${t.family} ${t.name}`).join(", ")}`;
      return { kind: "nft", what, author, ours: true };
    }
  }
}

/**
 * Announcements come by the hundred thousand when a link goes: each is looked up, not searched for. The prefixes of a table
 * are put in order when one of them is announced: a new default route of main waits for no set of a hundred thousand.
 */
function planned(plan: Plan | null, route: RouteFact): boolean {
  if (plan === null) return false;
  let tables = known.get(plan);
  if (tables === undefined) known.set(plan, (tables = new Map<number, Map<Prefix, PlanRoute[]>>()));
  let mine = tables.get(route.table);
  if (mine === undefined) tables.set(route.table, (mine = byPrefix(plan.routes, route.table)));
  return mine.get(route.prefix)?.some((r) => sameRoute(r, route)) ?? false;
}

function byPrefix(routes: readonly PlanRoute[], table: number): Map<Prefix, PlanRoute[]> {
  const prefixes = new Map<Prefix, PlanRoute[]>();
  for (const route of routes) {
    if (route.table !== table) continue;
    const same = prefixes.get(route.prefix);
    if (same === undefined) prefixes.set(route.prefix, [route]);
    else same.push(route);
  }
  return prefixes;
}

const known = new WeakMap<Plan, Map<number, Map<Prefix, PlanRoute[]>>>();

/** `ip` says little: who started it says more. */
function authorOf({ by }: Exclude<NetlinkEvent, { kind: "overrun" }>): string | null {
  if (by.name === "") return null;
  return by.parent === "" ? by.name : `${by.name}, started by ${by.parent}`;
}

function printRoute(route: RouteFact, gone: boolean): string {
  const text = `${printOperation({ kind: "route.del", route })} proto ${protocolOf(route.protocol)}`;
  return gone ? text : text.replace(" route del ", " route add ");
}
