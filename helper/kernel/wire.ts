// What really leaves the uplinks, seen behind every lock: frames in all, and frames beside the tunnel that no rule sends
// there. What may leave is taken from the plan's routes and the exit, not from the gate: the gate is what is watched.
import type { Prefix } from "../contract/prefix.ts";
import type { Exit } from "../plan/exit.ts";
import { firstSetTable, linkName, maxSetTables, nexthops, tables } from "../plan/numbers.ts";
import type { Plan, PlanRoute } from "../plan/plan.ts";
import type { Native, WireCounts, WireFrame, WireRules } from "./native.ts";
import { asked } from "./read.ts";

export interface WireWatch {
  /** From here on by this plan; what was counted stays. A link that came or went needs it said again. */
  follow(rules: WireRules): void;
  counts(): WireCounts;
  close(): void;
}

/** Groups of the link that no router forwards and discovery uses: RFC 5771 section 4, SSDP, RFC 4291 section 2.7. */
const linkGroups = ["224.0.0.0/24", "239.255.255.250/32", "ff02::/16"] as readonly string[] as readonly Prefix[];
/** Evidence enough: the addon keeps as many of each plan. */
const kept = 8;

/** Welcomed services are the policy's, and no part of a plan. */
export function wireRules(plan: Plan, exit: Exit | null, answers: WireRules["answers"] = []): WireRules {
  const beside = plan.routes.filter(goesBeside);
  const lan = beside.some((r) => r.table === tables.lan);
  const engine = plan.routes.filter((r) => tables.engine === r.table || isUplinkTable(r.table));
  const uplinks = [...beside, ...engine].flatMap((r) =>
    r.to.kind === "dev" && r.to.dev !== linkName ? [r.to.dev] : [],
  );
  return {
    uplinks: [...new Set(uplinks)].sort(),
    endpoints: exit === null ? [] : [exit.endpoint],
    direct: [...new Set([...beside.map((r) => r.prefix), ...(lan ? linkGroups : [])])],
    answers,
  };
}

export function watchWire(native: Native): WireWatch {
  const sum = { seen: 0, beside: 0, missed: 0 };
  let first: readonly WireFrame[] = [];
  let tap: ReturnType<Native["wireTap"]> | undefined;
  let now = "";
  const counts = (): WireCounts => {
    const more = tap?.counts() ?? { seen: 0, beside: 0, missed: 0, first: [] };
    return {
      seen: sum.seen + more.seen,
      beside: sum.beside + more.beside,
      missed: sum.missed + more.missed,
      first: [...first, ...more.first].slice(0, kept),
    };
  };
  const end = (): void => {
    // closed first: its thread counts to the end what it has
    tap?.close();
    const { first: frames, ...numbers } = counts();
    Object.assign(sum, numbers);
    first = frames;
    tap = undefined;
  };
  return {
    follow(rules) {
      const wanted = JSON.stringify(rules);
      if (wanted === now) return;
      // the new one is there before the old one goes: nothing leaves unseen
      const next = asked("watching the wire of", rules.uplinks.join(", "), () => native.wireTap(rules));
      end();
      tap = next;
      now = wanted;
    },
    counts,
    close() {
      end();
      now = "";
    },
  };
}

/** A route of a lane beside the tunnel: approved links, and sets that policy sends direct. */
function goesBeside(route: PlanRoute): boolean {
  const isSet = firstSetTable <= route.table && route.table < firstSetTable + maxSetTables;
  if (route.table !== tables.lan && !isSet) return false;
  if (route.to.kind === "nexthop") return route.to.id === nexthops.direct[4] || route.to.id === nexthops.direct[6];
  return route.to.kind === "dev" && route.to.dev !== linkName;
}

function isUplinkTable(table: number): boolean {
  return tables.uplink <= table && table <= tables.beside;
}
