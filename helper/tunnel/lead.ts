// What cannot wait for a proof: when the uplink changes, a set of a hundred thousand direct prefixes is led by the one that
// went, until the machine was read, the plan compiled and proven, and all of it read back, which takes most of a second. The
// gate that stands was proven to hold with any routing, so the few objects that lead the sets move behind it at once, and the
// plan that says so follows. What the old gate does not let out by the new way waits for it.
import { linkName } from "../plan/numbers.ts";
import type { PlanNexthop } from "../plan/plan.ts";
import { standing } from "./ground.ts";
import type { Deps, Live } from "./live.ts";

/** What cannot be moved waits for the plan, as everything else does. */
export async function leadFirst(deps: Deps, live: Live): Promise<void> {
  try {
    const commands = await deps.kernel.lead(await movedOf(deps, live));
    if (commands.length > 0) deps.log("led by the new uplink", { commands });
  } catch (error) {
    deps.log("not led by the new uplink", { error: String(error) });
  }
}

async function movedOf(deps: Deps, live: Live): Promise<readonly PlanNexthop[]> {
  const { applied } = live;
  if (applied === null || !applied.alone) return [];
  const before = applied.plan.nexthops.filter(leadsOut);
  if (before.length === 0) return [];
  const policy = deps.store.policy();
  const ground = standing({ ...(await deps.kernel.ground()), lists: deps.lists.of(policy) }, applied);
  const now = deps.nexthops({ policy, facts: ground, exit: applied.exit });
  const moved = now.filter((nexthop) => {
    const was = before.find((b) => b.id === nexthop.id);
    // one that is new has no routes yet, and comes with them
    return was !== undefined && leadsOut(nexthop) && JSON.stringify(was.to) !== JSON.stringify(nexthop.to);
  });
  // what was taken down meanwhile is led nowhere
  return live.applied === applied ? moved : [];
}

function leadsOut({ to }: PlanNexthop): boolean {
  return to.kind === "dev" && to.dev !== linkName;
}
