// Large plans told in few words: what is left out must be said by what stays.
import fc from "fast-check";
import { expect, test } from "vitest";

import { covers, type Prefix } from "../contract/prefix.ts";
import type { PlanRoute } from "../plan/plan.ts";
import { routeFact } from "../plan/simulate.ts";
import { compile } from "../policy/compile.ts";
import { laptop, node, policy } from "../policy/sample-machines.ts";
import { bundlesOf, thinned } from "./bundles.ts";
import { coveredBy, coversQuickly } from "./words.ts";

const prefixes = [
  ...["203.0.113.0/24", "203.0.113.128/25", "0.0.0.0/0", "255.255.255.255/32", "10.0.0.0/8", "0.0.0.0/1"],
  ...["::/0", "2001:db8::/32", "2001:db8:f::/48", "fe80::/10", "::1/128", "2001:db8:0:1::/64", "8000::/1"],
] as Prefix[];
const ways: readonly PlanRoute["to"][] = [
  { kind: "unreachable" },
  { kind: "nexthop", id: 7601 },
  { kind: "dev", dev: "va", via: null, onlink: false, src: null },
];

test("quick covering is covering", () => {
  for (const outer of prefixes) {
    for (const inner of prefixes)
      expect([outer, inner, coversQuickly(outer, inner)]).toEqual([outer, inner, covers(outer, inner)]);
    expect(coveredBy(prefixes, [outer])).toEqual(prefixes.filter((inner) => covers(outer, inner)));
  }
});

test("bundles hold every route once, and nothing of one bundle differs but the prefix", () => {
  const route = fc.record({
    ...{ family: fc.constant(4 as const), table: fc.constantFrom(7610, 7611), metric: fc.constantFrom(10, 20) },
    ...{ prefix: fc.constantFrom(...prefixes), to: fc.constantFrom(...ways) },
  });
  fc.assert(
    fc.property(fc.array(route, { maxLength: 30 }), (routes) => {
      const told = (r: object): string => JSON.stringify(r);
      const all = bundlesOf(routes, routeFact).flatMap((b) => b.prefixes.map((prefix) => told({ ...b.route, prefix })));
      expect(all.sort()).toEqual(routes.map((r) => told(routeFact(r))).sort());
    }),
    { seed: 7 },
  );
});

test("a thinned plan keeps some of each kind of route, and every one that meets a route of the machine", () => {
  // every second address, so that none are joined
  const destination = Array.from({ length: 500 }, (_, i) => `198.18.${i >> 7}.${2 * (i & 127)}/32` as Prefix);
  const rules = [{ id: "many", name: "many", match: { destination }, lane: "direct" as const }];
  const [met] = laptop.routes;
  if (met === undefined) throw new Error("a machine without routes");
  const facts = { ...laptop, routes: [...laptop.routes, { ...met, prefix: "198.18.1.8/32" as Prefix }] };
  const plan = compile({ policy: policy({ rules }), facts, exit: node, state: "connected" });
  if (!plan.ok) throw new Error(plan.refusal.code);
  const few = thinned(plan.value, facts).routes;
  expect(few.length).toBeLessThan(plan.value.routes.length - 400);
  const kind = (r: PlanRoute): string => JSON.stringify({ ...r, prefix: "" });
  expect(new Set(few.map(kind))).toEqual(new Set(plan.value.routes.map(kind)));
  expect(few.map((r) => r.prefix)).toContain("198.18.1.8/32");
});
