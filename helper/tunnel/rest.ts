// What clears away: the engine, and everything of ours but for a gate that holds from boot on.
import { isClosedAtRest, readFacts } from "./ground.ts";
import type { Deps, Live, Said } from "./live.ts";

export async function undo(deps: Deps, live: Live): Promise<Said> {
  // from here on more may leave, or everything
  deps.wire.close();
  live.undone = await rest(deps, live);
  live.applied = null;
  live.proof = null;
  live.prepared = null;
  deps.wanted.clear();
  await deps.names.rest();
  await readFacts(deps, live);
  return { kind: "undone" };
}

/** Nothing of ours; but for the gate where the kill switch holds from boot on. Gives the commands. */
export async function rest(deps: Deps, live: Live): Promise<readonly string[]> {
  if (!isClosedAtRest(deps, live)) {
    const undone = await deps.kernel.undo();
    live.held = false;
    return undone;
  }
  const input = { policy: deps.store.policy(), facts: await readFacts(deps, live) };
  const plan = deps.compile({ ...input, exit: null, state: "off" });
  // what stands stays, and it is tried again
  if (!plan.ok) throw new Error(`the gate from boot on is refused: ${plan.refusal.code}`);
  const proved = deps.proveRest({ ...input, plan: plan.value });
  if (!proved.ok) throw new Error(`the gate from boot on is not proven: ${JSON.stringify(proved.refusal.data)}`);
  const { commands } = await deps.kernel.apply(plan.value);
  live.held = true;
  return commands;
}

export async function stopEngine(live: Live): Promise<void> {
  const { engine } = live;
  live.engine = null;
  await engine?.stop();
}
