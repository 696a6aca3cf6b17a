import { expect, test } from "vitest";

import { samplePlans } from "../policy/sample-plans.ts";
import { compile } from "../policy/compile.ts";
import { commandsOf, differenceOf } from "./commands.ts";
import type { Plan } from "./plan.ts";

test("a plan differs from itself by nothing, and from nothing by all of it", () => {
  const plan = sample("rules-connected");
  expect(differenceOf(plan, plan)).toEqual({ added: [], removed: [], more: 0 });
  expect(differenceOf(null, plan).added.length).toBe(Math.min(200, commandsOf(plan).length));
  expect(differenceOf(plan, null).added).toEqual([]);
});

test("a rule that comes is told by its lines, and nothing else is", () => {
  const plan = sample("rules-connected");
  const [first, ...rest] = plan.rules;
  if (first === undefined) throw new Error("no rule");
  const told = differenceOf({ ...plan, rules: rest }, plan);
  expect(told.added).toHaveLength(1);
  expect(told.added[0]).toMatch(/^ip rule add pref 4000 /);
  expect(told.removed).toEqual([]);
});

test("a long list is cut and what is left out counted", () => {
  const plan = sample("rules-connected");
  const [route] = plan.routes;
  if (route === undefined) throw new Error("no route");
  const many = Array.from({ length: 1000 }, (_, metric) => ({ ...route, metric: 10_000 + metric }));
  const told = differenceOf(plan, { ...plan, routes: [...plan.routes, ...many] });
  expect(told.added).toHaveLength(200);
  expect(told.more).toBe(800);
});

function sample(name: string): Plan {
  const request = samplePlans[name];
  if (request === undefined) throw new Error(`no sample ${name}`);
  const answer = compile(request);
  if (!answer.ok) throw new Error(answer.refusal.code);
  return answer.value;
}
