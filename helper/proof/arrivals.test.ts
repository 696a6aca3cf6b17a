// P5 while the tunnel is not open: what policy promises beside it arrives there, or the plan is refused.
import { expect, test } from "vitest";

import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import type { Plan } from "../plan/plan.ts";
import { withRules } from "./ground.ts";
import { proveState } from "./prove.ts";

test.each([
  ["connecting", "without the LAN", /LAN: on-link and honoured$/],
  ["locked", "without the LAN", /LAN: on-link and honoured$/],
  ["locked", "without the direct lane", /^rule bank: direct$/],
  ["connecting", "without the direct lane, which is closed yet", null],
] as const)("%s %s", (state, _what, gone) => {
  const sample = samplePlans[`rules-${state}`];
  if (sample?.exit == null) throw new Error("no such sample");
  const input = { policy: sample.policy, facts: withRules(sample.facts), exit: sample.exit };
  const answer = compile({ ...input, state });
  if (!answer.ok) throw new Error(answer.refusal.code);
  const { value } = answer;
  expect(proveState(input, value)).toMatchObject({ kind: "held" });
  const without: Plan = {
    ...value,
    nft: value.nft.map((t) => ({
      ...t,
      chains: t.chains.map((c) => ({
        ...c,
        rules: c.rules.filter((r) => r.verdict.kind !== "accept" || gone?.test(r.note) !== true),
      })),
    })),
  };
  expect(proveState(input, without)).toMatchObject(
    gone === null ? { kind: "held" } : { kind: "counterexample", property: "P5", state },
  );
});
