// How the default is taken over (T2). The own table is asked by a rule before main and cannot be outbidden. The other forms
// lay the same into main, where programs that look for "the default route" see the tunnel: a better metric, two halves, or
// 1/8 + 2/7 + … + 128/1. Under each tunnel route lies an unreachable one, so that routing fails closed there as well.
//
// What these forms cost: main also holds routes of others, and a longer prefix wins, be it static, of the LAN that policy
// does not allow, or pushed by a lease (TunnelVision). Such packets are held by locks 2 and 3: nothing leaks, but nothing
// arrives either, and the plan's notes name each such route. IPv6 has no stop rule here, it would stand before main.
// Engine, identities, LAN and rules of the policy keep their own tables in every form.
import type { Form } from "../contract/policy.ts";
import { covers, lengthOf } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import type { Facts, RouteFact } from "../plan/facts.ts";
import { isOwnRoute, leftOut, pieces } from "../plan/forms.ts";
import type { MainForm } from "../plan/forms.ts";
import { linkName, mainMetrics, mainTable, priorities, tables } from "../plan/numbers.ts";
import type { PlanRoute, PlanRule } from "../plan/plan.ts";
import type { Ground } from "./ground.ts";
import { prefixSet } from "./prefix-set.ts";

export function takeoverRules({ policy }: Ground, family: Family): readonly PlanRule[] {
  // mode "only" takes nothing over, what no rule names falls to main; but for IPv6 that policy blocks
  const only = policy.mode === "only";
  if (only ? family === 4 || policy.ipv6 === "carry" : policy.form !== "table") return [];
  const catchAll = { family, priority: priorities.catchAll, action: { kind: "lookup", table: tables.tunnel } } as const;
  // In IPv4 such a rule would only break other programs' `ip route add` (kernel/README E). In IPv6 the unreachable route
  // sits on lo, goes with it, and a socket bound to a device never sees it (B, C).
  const stop = { family, priority: priorities.stop, action: { kind: "unreachable" } } as const;
  return family === 4 ? [catchAll] : [catchAll, stop];
}

export function takeoverRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  const { policy, facts } = ground;
  const form = mainFormOf(policy.form, facts, family);
  if (form === null || policy.mode === "only") return [];
  const taken = new Set(foreign(facts, family).map(({ prefix, metric }) => `${prefix} ${metric}`));
  const lay = (prefix: Prefix, metric: number, to: PlanRoute["to"]): PlanRoute[] =>
    // a second route with the same key would take the other's place, and it is not ours to take
    taken.has(`${prefix} ${metric}`) ? [] : [{ family, table: mainTable, prefix, metric, to }];
  const tunnel = { kind: "dev", dev: linkName, via: null, onlink: false, src: null } as const;
  const open = ground.open && ground.carries[family];
  const carried = open ? prefixSet(ground.exit?.allowedIps ?? [])[family] : [];
  return [
    ...[...pieces[form][family], ...leftOut[form][family]].flatMap((p) =>
      lay(p, mainMetrics.stop, { kind: "unreachable" }),
    ),
    ...carried.flatMap((prefix) => piecesOf(form, prefix, family)).flatMap((p) => lay(p, mainMetrics.tunnel, tunnel)),
  ];
}

/**
 * What a family's default is taken over with; null: the own table. No metric is better than 0, nor may ours be that of
 * another: where such a default stands, what is more specific wins whatever the metric, and it is laid in halves.
 */
export function mainFormOf(form: Form, facts: Facts, family: Family): MainForm | null {
  if (form === "table") return null;
  return form === "metric" && rivals(facts, family).length > 0 ? "halves" : form;
}

/** Default routes that leave no room for a better metric. */
export function rivals(facts: Facts, family: Family): readonly RouteFact[] {
  return foreign(facts, family).filter((r) => lengthOf(r.prefix) === 0 && r.metric <= mainMetrics.stop);
}

/**
 * Routes of main that win over the form and lead elsewhere, or nowhere: what goes there by policy's wish for the tunnel is
 * held by the gate and does not arrive. Those of a honoured LAN are asked for earlier.
 */
export function outranking(ground: Ground): readonly RouteFact[] {
  const { policy, facts } = ground;
  return ([4, 6] as const).flatMap((family) => {
    const form = mainFormOf(policy.form, facts, family);
    if (form === null || ground.only || !ground.carries[family]) return [];
    return foreign(facts, family).filter((r) => {
      if (ground.lan.some((l) => covers(l.prefix, r.prefix)) || isOfEveryLink(r.prefix)) return false;
      return pieces[form][family].some((piece) => {
        if (piece === r.prefix) return r.metric < mainMetrics.tunnel || r.metric === mainMetrics.stop;
        return covers(piece, r.prefix);
      });
    });
  });
}

function piecesOf(form: MainForm, prefix: Prefix, family: Family): readonly Prefix[] {
  const parts = pieces[form][family].filter((piece) => covers(prefix, piece));
  return parts.length > 0 ? parts : [prefix];
}

function foreign(facts: Facts, family: Family): readonly RouteFact[] {
  return facts.routes.filter(
    (r) => r.family === family && r.table === mainTable && !isOwnRoute(r) && r.legs.every((l) => l.dev !== linkName),
  );
}

/** Link-local and multicast routes, which every IPv6 link has and no default is meant for. */
function isOfEveryLink(prefix: Prefix): boolean {
  return prefix.startsWith("fe80:") || prefix.startsWith("ff");
}
