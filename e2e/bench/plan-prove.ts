// The half of `plan` that proves, in a process of its own for each size, so that the most memory it ever had is that of this
// size: policy, the plans of four states, and the proof. Prints one JSON object.
import { parseArgs } from "node:util";

import type { Plan, PlanState } from "../../helper/plan/plan.ts";
import { compile } from "../../helper/policy/compile.ts";
import { dualStack, node } from "../../helper/policy/sample-machines.ts";
import { withRules } from "../../helper/proof/ground.ts";
import { prove } from "../../helper/proof/prove.ts";
import { manyPrefixes, twentyRules } from "./plan-ground.ts";

const { positionals } = parseArgs({ allowPositionals: true });
const [prefixes, rounds] = positionals.map(Number) as [number, number];

const facts = withRules({ ...dualStack, features: { ...dualStack.features, appMarks: "bpf" } });
const policy = prefixes === 0 ? twentyRules() : manyPrefixes(prefixes);
const planOf = (state: PlanState): Plan => {
  const answer = compile({ policy, facts, exit: state === "off" ? null : node, state });
  if (!answer.ok) throw new Error(answer.refusal.code);
  return answer.value;
};

const times: number[] = [];
for (let round = 0; round < rounds; round++) {
  const plans = {
    connecting: planOf("connecting"),
    connected: planOf("connected"),
    locked: planOf("locked"),
    off: planOf("off"),
  };
  const began = performance.now();
  const answer = prove({ policy, facts, exit: node, plans });
  times.push(performance.now() - began);
  if (answer.kind !== "proof") throw new Error(JSON.stringify(answer));
}
const mostMiB = process.resourceUsage().maxRSS / 1024;
process.stdout.write(`${JSON.stringify({ times, mostMiB })}\n`);
