import { expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import type { RouteFact } from "../plan/facts.ts";
import type { PlanRoute } from "../plan/plan.ts";
import { eachOf, joined } from "./alike.ts";

const route: RouteFact = {
  ...{ family: 4, table: 7610, prefix: "198.51.100.0/24" as Prefix, type: "unicast", metric: 10, protocol: 2 },
  ...{ scope: 0, tos: 0, from: null, src: null, nexthop: 7602, legs: [] },
};
const to = { kind: "nexthop", id: 7602 } as const;
const wanted = (prefix: string, more: Partial<PlanRoute> = {}) =>
  ({
    kind: "route.replace",
    route: { family: 4, table: 7610, prefix: prefix as Prefix, metric: 10, to, ...more },
  }) as const;

test("a route with many prefixes is as many routes, in their order", () => {
  const alone = { ...route, table: 254 };
  const many = { ...route, prefix: "192.0.2.1/32 192.0.2.9/32" as Prefix };
  expect(eachOf([alone, many, alone])).toEqual([
    alone,
    { ...route, prefix: "192.0.2.1/32" },
    { ...route, prefix: "192.0.2.9/32" },
    alone,
  ]);
});

test("routes of a set are one with the prefixes of all, and what stands between them parts them", () => {
  const rule = { kind: "nexthop.del", id: 7602 } as const;
  const [a, b, c] = [wanted("192.0.2.1/32"), wanted("192.0.2.9/32"), wanted("198.51.100.0/24")];
  expect(joined([a, b, rule, c])).toEqual([wanted("192.0.2.1/32 192.0.2.9/32"), rule, c]);
});

test.each<Partial<PlanRoute>>([{ table: 7611 }, { metric: 20 }, { to: { kind: "nexthop", id: 7604 } }, { family: 6 }])(
  "a route that differs in %j stays by itself",
  (more) => {
    const both = [wanted("192.0.2.1/32"), wanted("192.0.2.9/32", more)];
    expect(joined(both)).toEqual(both);
  },
);

test("routes go together only where all that was read of them is one", () => {
  const [a, b] = eachOf([{ ...route, prefix: "192.0.2.1/32 192.0.2.9/32" as Prefix }]) as [RouteFact, RouteFact];
  const del = (of: RouteFact) => ({ kind: "route.del", route: of }) as const;
  expect(joined([del(a), del(b)])).toEqual([del({ ...a, prefix: "192.0.2.1/32 192.0.2.9/32" as Prefix })]);
  const apart: Partial<RouteFact>[] = [{ type: "blackhole" }, { src: "192.0.2.2" as never }, { legs: [] }, { tos: 4 }];
  for (const more of apart) expect(joined([del(a), del({ ...b, ...more })])).toHaveLength(2);
});
