// Announcements of the kernel as changes for the watch. Pure. What agrees with the plan is no change: a route of ours
// that comes, one that is not in the plan and goes. So neither our own hand nor what the kernel does in its wake (a link
// takes its addresses and routes along, unsigned) is taken for somebody else's.
import type { RouteFact } from "../plan/facts.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, ranges, tableName } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import { sameRoute, sameRule } from "../plan/diff.ts";
import { printOperation, protocolOf } from "../plan/print.ts";
import type { Change } from "./kernel.ts";
import type { NetlinkEvent } from "./native.ts";

/** `local`: the kernel keeps it itself, one entry for each address, which is announced too. */
const local = 255;

/** null: nothing that anybody need look at. */
export function changeOf(event: NetlinkEvent, plan: Plan | null, ours: readonly number[]): Omit<Change, "at"> | null {
  if (event.kind === "overrun") return { kind: "link", what: "announcements were lost", author: null };
  if (ours.includes(event.author)) return null;
  const author = event.author === 0 ? null : event.author;
  switch (event.kind) {
    case "link": {
      const { name, up, mtu } = event.link;
      const as = name === linkName && (event.gone ? plan?.link == null : up && mtu === plan?.link?.mtu);
      const what = event.gone ? `ip link del dev ${name}` : `ip link set dev ${name} ${up ? "up" : "down"}`;
      return as ? null : { kind: "link", what, author };
    }
    case "address": {
      const { link, address } = event.address;
      const wanted = link === linkName && (plan?.link?.addresses.includes(address) ?? false);
      if (link === linkName && wanted !== event.gone) return null;
      return { kind: "address", what: `ip addr ${event.gone ? "del" : "add"} ${address} dev ${link}`, author };
    }
    case "route": {
      const { route, gone } = event;
      if (route.table === local) return null;
      const wanted = plan?.routes.some((r) => sameRoute(r, route)) ?? false;
      if (isOwnRoute(route) && wanted !== gone) return null;
      return { kind: "route", what: printRoute(route, gone), author };
    }
    case "rule": {
      const { rule, gone } = event;
      const wanted = plan?.rules.some((r) => sameRule(r, rule)) ?? false;
      const inRange = ranges.firstPriority <= rule.priority && rule.priority <= ranges.lastPriority;
      if (inRange && wanted !== gone) return null;
      const what = printOperation({ kind: "rule.del", rule });
      return { kind: "rule", what: gone ? what : what.replace(" rule del ", " rule add "), author };
    }
    case "nexthop": {
      const { id } = event.nexthop;
      const wanted = plan?.nexthops.some((n) => n.id === id) ?? false;
      if (wanted && !event.gone) return null;
      return { kind: "nexthop", what: `ip nexthop ${event.gone ? "del" : "replace"} id ${id}`, author };
    }
    case "nft": {
      // whatever another program does in its own tables is its own; a flush of everything names each table it takes
      const touched = event.tables.filter((t) => t.name === tableName);
      if (touched.length === 0) return null;
      const what = `nft: ${event.program} changed ${touched.map((t) => `${t.family} ${t.name}`).join(", ")}`;
      return { kind: "nft", what, author };
    }
  }
}

function printRoute(route: RouteFact, gone: boolean): string {
  const text = `${printOperation({ kind: "route.del", route })} proto ${protocolOf(route.protocol)}`;
  return gone ? text : text.replace(" route del ", " route add ");
}
