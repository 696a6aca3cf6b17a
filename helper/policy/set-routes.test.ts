import { expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import type { PlanRoute } from "../plan/plan.ts";
import { routesTo } from "./set-routes.ts";

const pattern = (id: number, metric: number): PlanRoute => ({
  ...{ family: 4, table: 7610, prefix: "0.0.0.0/0" as Prefix, metric },
  to: { kind: "nexthop", id },
});
const many = Array.from({ length: 2000 }, (_, i) => `198.${i >> 8}.${i & 255}.0/24` as Prefix);

test("each prefix has all patterns, one after the other", () => {
  expect(routesTo(many.slice(0, 2), [pattern(1, 9), pattern(2, 8)])).toEqual([
    { ...pattern(1, 9), prefix: many[0] },
    { ...pattern(2, 8), prefix: many[0] },
    { ...pattern(1, 9), prefix: many[1] },
    { ...pattern(2, 8), prefix: many[1] },
  ]);
});

test("a large list that is laid alike twice is laid once", () => {
  const first = routesTo(many, [pattern(1, 9)]);
  expect(routesTo(many, [pattern(1, 9)])).toBe(first);
});

test("a large list that is laid otherwise is laid anew", () => {
  routesTo(many, [pattern(1, 9)]);
  const other = routesTo(many, [pattern(2, 9)]);
  expect(other).toHaveLength(many.length);
  expect(other[0]).toEqual({ ...pattern(2, 9), prefix: many[0] });
});
