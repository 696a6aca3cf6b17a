// The forms that lie in main are held to the same proof; what they cannot hold is exempt by right of the form and by
// nothing else. Each route of ours in main matters: without any one of them there is a packet that breaks the plan.
import { describe, expect, test } from "vitest";

import type { Form } from "../contract/policy.ts";
import type { RouteFact } from "../plan/facts.ts";
import { mainTable } from "../plan/numbers.ts";
import type { Plan, PlanState } from "../plan/plan.ts";
import { printRoute } from "../plan/print.ts";
import { compile } from "../policy/compile.ts";
import type { Request } from "../policy/ground.ts";
import { dualStack, metricZero, policy, prefix, pushed, request } from "../policy/sample-machines.ts";
import { withRules } from "./ground.ts";
import { prove, proveState } from "./prove.ts";

const forms: readonly Form[] = ["metric", "halves", "eighths"];
const inForm = (form: Form, facts = dualStack): Request =>
  request(withRules(facts), "connected", { policy: policy({ form }) });

describe.each(forms)("the form %s", (form) => {
  test("is proven whole, and says what it cannot hold", () => {
    const proof = proven(inForm(form));
    expect(proof).toMatchObject({ kind: "proof", held: 11 });
    expect("limits" in proof && proof.limits).toContain("routes-in-main");
  });

  test.each(routesOf(inForm(form)).map((route) => [printRoute(route), route] as const))(
    "without %s there is a packet that breaks the plan",
    (_text, route) => {
      const plan = planned(inForm(form), "connected");
      const broken = { ...plan, routes: plan.routes.filter((r) => JSON.stringify(r) !== JSON.stringify(route)) };
      const { policy: p, facts, exit } = inForm(form);
      if (exit === null) throw new Error("a connected request has an exit");
      expect(proveState({ policy: p, facts, exit }, broken)).toMatchObject({ kind: "counterexample" });
    },
  );

  test.each<readonly [string, RouteFact]>([
    ["a static route", pushed("198.51.100.0/24", "wlan0", "192.168.1.9", 4)],
    ["a blackhole", { ...pushed("198.51.100.0/24", "wlan0", null, 4), type: "blackhole", legs: [] }],
    ["halves of a lease (TunnelVision)", pushed("128.0.0.0/2", "wlan0", "192.168.1.1", 16)],
  ])("%s in main is dropped and not leaked, and no break of the plan", (_name, theirs) => {
    expect(proven(inForm(form, { ...dualStack, routes: [...dualStack.routes, theirs] }))).toMatchObject({
      kind: "proof",
    });
  });
});

test("with a metric of 0 on the uplink the better metric is laid as halves, and everything arrives", () => {
  const zero = inForm("metric", metricZero);
  expect(proven(zero)).toMatchObject({ kind: "proof" });
  expect(
    routesOf(zero)
      .filter((r) => r.family === 4)
      .map((r) => r.prefix),
  ).toContain("128.0.0.0/1");
  const plan = planned(zero, "connected");
  const only = { ...plan, routes: plan.routes.filter((r) => r.table !== mainTable || r.family === 6) };
  const laid = [1, 2].map((metric) => ({
    ...{ family: 4 as const, table: mainTable, prefix: prefix("0.0.0.0/0"), metric },
    to: metric === 1 ? ({ ...dev } as const) : ({ kind: "unreachable" } as const),
  }));
  const { policy: p, facts, exit } = zero;
  if (exit === null) throw new Error("a connected request has an exit");
  const worse = proveState({ policy: p, facts, exit }, { ...only, routes: [...only.routes, ...laid] });
  expect(worse).toMatchObject({ kind: "counterexample" });
});

const dev = { kind: "dev", dev: "culvert0", via: null, onlink: false, src: null } as const;

function routesOf(sample: Request): Plan["routes"] {
  return planned(sample, "connected").routes.filter((r) => r.table === mainTable);
}

function planned(sample: Request, state: PlanState): Plan {
  const answer = compile({ ...sample, state });
  if (!answer.ok) throw new Error(answer.refusal.code);
  return answer.value;
}

function proven(sample: Request): ReturnType<typeof prove> {
  if (sample.exit === null) throw new Error("a connected request has an exit");
  const plan = (state: PlanState): Plan => planned(sample, state);
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  return prove({
    policy: sample.policy,
    facts: sample.facts,
    exit: sample.exit,
    plans: { ...plans, off: plan("off") },
  });
}
