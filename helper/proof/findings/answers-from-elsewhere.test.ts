// Found by the prover: lock 2 took anything that conntrack calls an answer of a welcomed service, whatever source address
// it carried. With the egress chain flushed a forged source left by the uplink, to port 853 of the local network's router.
import { expect, test } from "vitest";

import { compile } from "../../policy/compile.ts";
import { samplePlans } from "../../policy/sample-plans.ts";
import type { Plan } from "../../plan/plan.ts";
import { prove } from "../prove.ts";
import { withRules } from "../ground.ts";

test("P8: an answer with a source that is not this machine's stays here when the egress chain is gone", () => {
  const sample = samplePlans["welcomed-service"];
  if (sample?.exit == null) throw new Error("no sample");
  const request = { ...sample, facts: withRules(sample.facts) };
  const plan = (state: Plan["state"]): Plan => {
    const answer = compile({ ...request, state });
    if (!answer.ok) throw new Error(answer.refusal.code);
    return answer.value;
  };
  const loose = (p: Plan): Plan => ({
    ...p,
    nft: p.nft.map((table) => ({
      ...table,
      chains: table.chains.map((chain) => ({
        ...chain,
        rules: chain.name === "answer" ? chain.rules.map((rule) => ({ ...rule, matches: [] })) : chain.rules,
      })),
    })),
  });
  const input = { policy: request.policy, facts: request.facts, exit: sample.exit };
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  expect(prove({ ...input, plans }).kind).toBe("proof");
  const before = {
    connecting: loose(plans.connecting),
    connected: loose(plans.connected),
    locked: loose(plans.locked),
  };
  expect(prove({ ...input, plans: before })).toMatchObject({
    kind: "counterexample",
    property: "P8",
    fault: "egress flushed",
  });
});
