// The routes of a set: one pattern or two, laid for each of its prefixes. A policy is compiled for every state, and its lists
// are the same lists (prefix-set.ts): the routes of a large one are made once and stand in all plans that lay it alike. A
// million prefixes would else be a million objects more with every plan.
import type { Prefix } from "../contract/prefix.ts";
import { largeSet } from "../plan/numbers.ts";
import type { PlanRoute } from "../plan/plan.ts";

/** For each prefix the patterns in turn. */
export function routesTo(prefixes: readonly Prefix[], patterns: readonly PlanRoute[]): readonly PlanRoute[] {
  if (prefixes.length <= largeSet) return laid(prefixes, patterns);
  const key = JSON.stringify(patterns);
  let known = laidFor.get(prefixes);
  if (known === undefined) laidFor.set(prefixes, (known = new Map<string, readonly PlanRoute[]>()));
  const before = known.get(key);
  if (before !== undefined) return before;
  // the tunnel open and not, and an uplink that was left: older ones are another machine's
  if (known.size === mostKept) known.clear();
  const made = laid(prefixes, patterns);
  known.set(key, made);
  return made;
}

const laidFor = new WeakMap<readonly Prefix[], Map<string, readonly PlanRoute[]>>();
const mostKept = 2;

function laid(prefixes: readonly Prefix[], patterns: readonly PlanRoute[]): readonly PlanRoute[] {
  const routes: PlanRoute[] = [];
  for (const prefix of prefixes)
    for (const { family, table, metric, to } of patterns) routes.push({ family, table, prefix, metric, to });
  return routes;
}
