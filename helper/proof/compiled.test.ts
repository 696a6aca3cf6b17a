// Every plan that the compiler makes of its sample machines is proven. A hole found here is the compiler's or the
// specification's, never to be passed over: each one found has its test in findings/.
import { expect, test } from "vitest";

import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import type { Plan, PlanState } from "../plan/plan.ts";
import { withRules } from "./ground.ts";
import { prove } from "./prove.ts";

const connected = Object.entries(samplePlans).filter(([, request]) => request.state === "connected");

test("there are samples to prove", () => {
  expect(connected.length).toBeGreaterThan(8);
});

test.each(connected)("%s is proven", (_name, sample) => {
  if (sample.exit === null) throw new Error("a connected sample has an exit");
  const request = { ...sample, facts: withRules(sample.facts) };
  const plan = (state: PlanState): Plan => {
    const answer = compile({ ...request, state });
    if (!answer.ok) throw new Error(answer.refusal.code);
    return answer.value;
  };
  const plans = {
    connecting: plan("connecting"),
    connected: plan("connected"),
    locked: plan("locked"),
    off: plan("off"),
  };
  const proof = prove({ policy: request.policy, facts: request.facts, exit: sample.exit, plans });
  expect(proof).toMatchObject({ kind: "proof", properties: 11, held: 11 });
});
