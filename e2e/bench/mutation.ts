// mutation: does the prover notice when one line of a plan is missing, or two have changed places? Each compiled sample
// plan is broken in every such way and proven again. What is still proven must not matter: either the broken plan sends
// every packet the same way, in every fault (that is walked, not assumed), or a reason stands in survivors.ts.
import type { Plan } from "../../helper/plan/plan.ts";
import { compile } from "../../helper/policy/compile.ts";
import type { Request } from "../../helper/policy/ground.ts";
import { samplePlans } from "../../helper/policy/sample-plans.ts";
import { sameFate } from "../../helper/proof/fate.ts";
import { withRules } from "../../helper/proof/ground.ts";
import { machineOf } from "../../helper/proof/machine.ts";
import { nobody, prove, proveRest, proveState } from "../../helper/proof/prove.ts";
import { type State, stateOf } from "../../helper/proof/state.ts";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { countOf, type Row } from "./rows.ts";
import { reasonFor } from "./survivors.ts";

const atRest = "rules-off-from-boot";
const samples = ["rules-connected", "lan-off", "welcomed-service", atRest];
type BrokenState = "connected" | "connecting" | "locked";

export interface Tally {
  tried: number;
  noticed: number;
  /** Survivors that change no packet's fate. */
  same: number;
  /** Survivors with a reason. */
  excused: number;
  readonly unexplained: string[];
}

/** `rounds` samples are broken, each in its connected plan. */
export async function benchMutation(rounds: number, note: (line: string) => void): Promise<readonly Row[]> {
  const tally: Tally = { tried: 0, noticed: 0, same: 0, excused: 0, unexplained: [] };
  for (const sample of samples.slice(0, rounds)) {
    // only while connected is every arrival asked for; in the other states a missing accept goes unnoticed
    if (sample === atRest) breakRest(sample, tally);
    else breakPlan(sample, "connected", tally);
    note(`${sample}: ${tally.tried} broken plans so far, ${tally.noticed} noticed`);
  }
  for (const survivor of tally.unexplained) note(`survives without a reason: ${survivor}`);
  if (tally.unexplained.length > 0) process.exitCode = 1;
  return [
    countOf("mutation.tried", tally.tried),
    countOf("mutation.noticed", tally.noticed),
    countOf("mutation.justified", tally.same + tally.excused),
    countOf("mutation.same_fate", tally.same),
    countOf("mutation.unexplained", tally.unexplained.length),
  ];
}

/** The gate at rest, which stands alone. */
export function breakRest(sample: string, tally: Tally): void {
  const request = samplePlans[sample];
  if (request === undefined) throw new Error(`no sample ${sample}`);
  const input = { policy: request.policy, facts: withRules(request.facts) };
  const answer = compile({ ...request, ...input, state: "off", exit: null, previous: null });
  if (!answer.ok) throw new Error(answer.refusal.code);
  const whole = stateOf({ ...input, exit: nobody }, answer.value);
  for (const mutant of mutantsOf(answer.value)) {
    tally.tried += 1;
    if (proveRest(input, mutant.plan).kind === "counterexample") tally.noticed += 1;
    else if (reasonFor(sample, mutant) !== undefined) tally.excused += 1;
    else if (changesNothing(whole, mutant)) tally.same += 1;
    else tally.unexplained.push(`${sample} off ${mutant.change} ${mutant.place}: ${mutant.lines.join(" <-> ")}`);
  }
}

export function breakPlan(sample: string, state: BrokenState, tally: Tally): void {
  const request = samplePlans[sample];
  if (request?.exit == null) throw new Error(`no sample ${sample}`);
  const input = { policy: request.policy, facts: withRules(request.facts), exit: request.exit };
  const plans: Plans = {
    connecting: planOf(request, "connecting"),
    connected: planOf(request, "connected"),
    locked: planOf(request, "locked"),
  };
  const whole = stateOf(input, plans[state]);
  for (const mutant of mutantsOf(plans[state])) {
    tally.tried += 1;
    if (isNoticed(input, plans, state, mutant.plan)) tally.noticed += 1;
    else if (reasonFor(sample, mutant) !== undefined) tally.excused += 1;
    else if (changesNothing(whole, mutant)) tally.same += 1;
    else tally.unexplained.push(`${sample} ${state} ${mutant.change} ${mutant.place}: ${mutant.lines.join(" <-> ")}`);
  }
}

type Input = Parameters<typeof stateOf>[0];

/** A line missing changes one plan; the steps around it are walked only where its gate leans on routing. */
function isNoticed(input: Input, plans: Plans, state: BrokenState, plan: Plan): boolean {
  const alone = proveState(input, plan);
  if (alone.kind === "counterexample") return true;
  return !alone.alone && prove({ ...input, plans: { ...plans, [state]: plan } }).kind === "counterexample";
}

type Plans = Readonly<Record<BrokenState, Plan>>;

/** The classes are those of the whole plan; a broken one asks nothing new. Routes change what tables answer, so not them. */
function changesNothing(whole: State, mutant: Mutant): boolean {
  if (mutant.place === "routes") return false;
  return sameFate(
    whole,
    whole.machine,
    machineOf(whole.facts, mutant.plan),
    mutant.place === "rules" ? "rules" : "gate",
  );
}

function planOf(request: Request, state: BrokenState): Plan {
  const answer = compile({ ...request, facts: withRules(request.facts), state, previous: null });
  if (!answer.ok) throw new Error(answer.refusal.code);
  return answer.value;
}
