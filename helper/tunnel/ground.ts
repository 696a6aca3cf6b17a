// The machine as it was read, with the names of now or of what stands; and how a plan is laid on it, with the wire watch told
// before and after.
import type { Applied } from "../kernel/kernel.ts";
import type { Facts, NameFact } from "../plan/facts.ts";
import type { Applying, Deps, Live } from "./live.ts";
import { mayLeave } from "./may-leave.ts";

/** With the names of now; of what stands: `standing`. */
export async function readFacts(deps: Deps, live: Live): Promise<Facts> {
  const facts = { ...(await deps.kernel.read()), names: deps.names.known(), lists: deps.lists.of(deps.store.policy()) };
  live.facts = facts;
  live.uplinks = deps.uplinks(facts);
  return facts;
}

/** The machine as the plan that stands sees it: names that were answered since are no part of it yet. */
export function standing(facts: Facts, { names }: Applying): Facts {
  return { ...facts, names };
}

export async function apply(deps: Deps, live: Live, applying: Applying): Promise<Applied> {
  const { plan, exit } = applying;
  const facts = standing(live.facts ?? (await readFacts(deps, live)), applying);
  const { links, allowed } = mayLeave(plan, exit, deps.store.policy(), facts);
  deps.wire.expect(links, allowed);
  const applied = await deps.kernel.apply(plan);
  live.applied = applying;
  live.held = false;
  deps.wire.settle();
  return applied;
}

export function namesOf(facts: Facts): readonly NameFact[] {
  return facts.names ?? noAnswers;
}

const noAnswers: readonly NameFact[] = [];

export function isClosedAtRest(deps: Deps, live: Live): boolean {
  return deps.store.policy().killSwitch === "boot" && !live.released;
}
