// What holds: the lock that a failure falls back to, and the plan of now on the machine of now.
import { type Answer, grant } from "../contract/refusal.ts";
import type { ProofSummary } from "../contract/status.ts";
import type { Facts, NameFact } from "../plan/facts.ts";
import type { Plan } from "../plan/plan.ts";
import { apply, namesOf, readFacts, standing } from "./ground.ts";
import type { Applying, CompileInput, Deps, Live, Proved, Said } from "./live.ts";
import type { Id } from "./states.ts";

export async function lock(deps: Deps, live: Live, node: Id): Promise<Said> {
  const exit = live.exits.get(node) ?? live.applied?.exit;
  if (exit === undefined) return { kind: "lock-failed" };
  const facts = await readFacts(deps, live);
  const input = { policy: deps.store.policy(), facts, exit };
  const plan = deps.compile({ ...input, state: "locked" });
  if (!plan.ok) {
    deps.log("lock not compiled", { refusal: plan.refusal.code });
    // what stands was closed already; without anything standing nothing is claimed
    return live.applied === null ? { kind: "lock-failed" } : { kind: "locked", mended: false };
  }
  // without a way out there is no connected plan; then the lock is all there is to prove
  const connected = deps.compile({ ...input, state: "connected" });
  const proof = proveWith(deps, input, connected.ok ? connected.value : plan.value, plan.value);
  if (!proof.ok && namesOf(facts).length > 0) {
    deps.log("lock not proven with what names were answered", proof.refusal);
    deps.names.takeBack(namesOf(facts), []);
    return lock(deps, live, node);
  }
  if (!proof.ok) {
    deps.log("lock not proven", proof.refusal);
    return { kind: "lock-failed" };
  }
  const again = live.applied !== null && samePlan(live.applied.plan, plan.value);
  // after a crash who asks waits for an answer that may come yet; without the stub he is refused as well
  const names = await deps.names.ready(deps.store.policy(), facts);
  if (!names.ok) deps.log("names not answered", names.refusal.data);
  const { commands } = await apply(deps, live, { node, exit, plan: plan.value, alone: false, names: namesOf(facts) });
  return { kind: "locked", mended: again && commands.length > 0 };
}

/** The machine changed: the plan of now on the facts of now. An unchanged plan that needs commands was touched by others. */
export async function replan(deps: Deps, live: Live): Promise<Said> {
  const { applied } = live;
  if (applied === null) return { kind: "replanned", mended: false };
  const facts = await readFacts(deps, live);
  const names = await deps.names.ready(deps.store.policy(), facts);
  if (!names.ok) return { kind: "refused", refusal: names.refusal };
  let planned = planOn(deps, live, applied, facts);
  if (!planned.ok && namesOf(facts) !== applied.names) {
    // what was answered since is not worth the tunnel
    deps.log("names not laid", planned.refusal);
    deps.names.takeBack(namesOf(facts), applied.names);
    planned = planOn(deps, live, applied, standing(facts, applied));
  }
  if (!planned.ok) return { kind: "refused", refusal: planned.refusal };
  const { plan, same, proof, alone } = planned.value;
  if (!same) live.proof = proof;
  const { node, exit } = applied;
  const { commands } = await apply(deps, live, { node, exit, plan, alone, names: planned.value.names });
  return { kind: "replanned", mended: same && commands.length > 0 };
}

interface Replanned {
  readonly plan: Plan;
  readonly same: boolean;
  readonly proof: ProofSummary | null;
  readonly alone: boolean;
  readonly names: readonly NameFact[];
}

function planOn(deps: Deps, live: Live, { exit, plan: before, alone }: Applying, facts: Facts): Answer<Replanned> {
  const input = { policy: deps.store.policy(), facts, exit };
  const names = namesOf(facts);
  const plan = deps.compile({ ...input, state: "connected" });
  if (!plan.ok) return plan;
  if (samePlan(before, plan.value)) return grant({ plan: plan.value, same: true, proof: live.proof, alone, names });
  const locked = deps.compile({ ...input, state: "locked" });
  if (!locked.ok) return locked;
  const proof = proveWith(deps, input, plan.value, locked.value);
  if (!proof.ok) return proof;
  return grant({ plan: plan.value, same: false, proof: proof.value, alone: proof.alone === true, names });
}

/** One plan alone, with the lock it falls back to. */
function proveWith(deps: Deps, input: Omit<CompileInput, "state">, plan: Plan, locked: Plan): Proved {
  const { policy, facts, exit } = input;
  return deps.prove({ policy, facts, exit, plans: { connecting: locked, connected: plan, locked } });
}

function samePlan(a: Plan, b: Plan): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
