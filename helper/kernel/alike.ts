// Routes that differ in nothing but their prefix, as the addon takes and gives them: one, with the prefixes of all of them and
// spaces between. A set of a hundred thousand prefixes is thirteen megabytes of JSON else, twice for each change. Pure.
import type { Prefix } from "../contract/prefix.ts";
import type { Operation } from "../plan/diff.ts";
import type { RouteFact } from "../plan/facts.ts";

/** Each route by itself. */
export function eachOf(routes: readonly RouteFact[]): readonly RouteFact[] {
  const each: RouteFact[] = [];
  for (const route of routes) {
    if (!route.prefix.includes(" ")) {
      each.push(route);
      continue;
    }
    const { family, table, type, metric, protocol, scope, tos, from, src, nexthop, legs } = route;
    for (const prefix of route.prefix.split(" ") as Prefix[])
      each.push({ family, table, prefix, type, metric, protocol, scope, tos, from, src, nexthop, legs });
  }
  return each;
}

/** Those that follow each other and share what else they say, as the routes of a set do. Each prefix keeps its place. */
export function joined<T extends Exclude<Operation, { readonly kind: "sysctl.set" }>>(
  list: readonly T[],
): readonly T[] {
  const out: T[] = [];
  for (let i = 0; i < list.length;) {
    const first = list[i] as T;
    let end = i + 1;
    while (end < list.length && isAlike(first, list[end] as T)) end += 1;
    out.push(end === i + 1 ? first : withPrefixes(first, list.slice(i, end)));
    i = end;
  }
  return out;
}

function isAlike(a: Operation, b: Operation): boolean {
  if (a.kind === "route.replace" && b.kind === "route.replace") {
    const [x, y] = [a.route, b.route];
    return x.to === y.to && x.table === y.table && x.metric === y.metric && x.family === y.family;
  }
  if (a.kind !== "route.del" || b.kind !== "route.del") return false;
  const [x, y] = [a.route, b.route];
  const same = x.table === y.table && x.metric === y.metric && x.family === y.family && x.type === y.type;
  const alike = x.nexthop === y.nexthop && x.protocol === y.protocol && x.tos === y.tos && x.scope === y.scope;
  // legs that are one list were read as one
  return same && alike && x.legs === y.legs && x.from === y.from && x.src === y.src;
}

function withPrefixes<T extends Operation>(first: T, all: readonly T[]): T {
  const prefixes = all.map((o) => (o.kind === "route.replace" || o.kind === "route.del" ? o.route.prefix : ""));
  return { ...first, route: { ...("route" in first ? first.route : {}), prefix: prefixes.join(" ") as Prefix } };
}
