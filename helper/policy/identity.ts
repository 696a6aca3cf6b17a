// Two identities (D1): what is sent from an inside address goes into the tunnel, what is sent from an outside address
// goes out by the uplink that owns it. These rules only serve answers: a `from` rule never meets a socket that has not
// chosen a source (3.13), and the gate lets an outside source out only as the answer to a welcomed caller (P6). They
// also make strict reverse path filters work while the catch-all is the tunnel (10.1-10.4), so rp_filter is left alone.
//
// IPv6 asks twice: after a refusal it takes any address of the machine and asks again with that (ip6_dst_lookup_tail), so
// a plain `from` rule would carry past the stop whatever the stop refused. There the rules name the welcomed services'
// ports as well. In mode "only" they do so in both families and lead to main: what no rule names needs no help, and an
// answer only has to pass before a rule that would send it into the tunnel.
import { familyOf } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import { firstMetric, mainTable, maxUplinks, priorities, tables } from "../plan/numbers.ts";
import type { PlanRoute, PlanRule } from "../plan/plan.ts";
import type { Ground } from "./ground.ts";
import { aimed, anywhere, outOf, unreachable } from "./tunnel.ts";
import type { OutsideLink } from "./uplinks.ts";

export function identityRules(ground: Ground, family: Family): readonly PlanRule[] {
  const rule = (priority: number, from: Prefix, table: number): PlanRule => {
    return { family, priority, from, action: { kind: "lookup", table } };
  };
  const outside = new Map<Prefix, number>();
  for (const [link, table] of tablesOf(ground))
    for (const source of link.sources)
      if (familyOf(source) === family && !outside.has(source)) outside.set(source, table);
  return [
    ...ground.inside[family].map((from) => rule(priorities.inside, from, tables.tunnel)),
    ...[...outside].flatMap(([from, table]) => {
      const plain = rule(priorities.outside, from, ground.only ? mainTable : table);
      if (family === 4 && !ground.only) return [plain];
      return services(ground, family).map((service) => ({ ...plain, ...service }));
    }),
  ];
}

/** Welcomed services and their callers. A rule cannot say port 65535 (L): such a service is answered by plain rules only. */
function services(ground: Ground, family: Family): readonly Pick<PlanRule, "protocol" | "sport" | "to">[] {
  const said = ground.policy.welcome
    .filter((w) => (family === 4 || ground.policy.ipv6 !== "block") && w.port < 65535)
    .flatMap((w) => {
      const service = { protocol: w.protocol === "tcp" ? 6 : 17, sport: { from: w.port, to: w.port } };
      if (w.from.length === 0) return [service];
      return w.from.filter((to) => familyOf(to) === family).map((to) => ({ ...service, ...aimed(to) }));
    });
  return [...new Map(said.map((s) => [JSON.stringify(s), s])).values()];
}

export function identityRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  if (ground.only || (family === 6 && services(ground, 6).length === 0)) return [];
  const sharers = new Map<string, number>();
  const laid = tablesOf(ground).flatMap(([link, table]) => {
    const onLink = link.neighbours
      .filter((prefix) => familyOf(prefix) === family)
      .map((prefix) => {
        const turn = sharers.get(`${table} ${prefix}`) ?? 0;
        sharers.set(`${table} ${prefix}`, turn + 1);
        return outOf({ family, dev: link.name, via: null }, table, prefix, firstMetric + turn);
      });
    const way = ground.ways.find((w) => w.family === family && w.dev === link.name);
    const out = way === undefined || table === tables.beside ? [] : [outOf(way, table, anywhere[family], firstMetric)];
    return [...onLink, ...out];
  });
  const used = new Set(
    tablesOf(ground)
      .filter(([link]) => link.sources.some((source) => familyOf(source) === family))
      .map(([, table]) => table),
  );
  // an answer whose link has gone must not be looked for in the tunnel
  return [...[...used].map((table) => unreachable(family, table, anywhere[family])), ...laid];
}

/** Uplinks have a table each, in their order; links without a default route share the last. */
function tablesOf(ground: Ground): readonly (readonly [OutsideLink, number])[] {
  let next = 0;
  return ground.links.map((link) => {
    if (next >= maxUplinks || !ground.ways.some((way) => way.dev === link.name)) return [link, tables.beside];
    const table = tables.uplink + next;
    next += 1;
    return [link, table];
  });
}
