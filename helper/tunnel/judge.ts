// What the prover and the lint say, for whoever asks: of a policy that is only tried out, and of what stands. Nothing here is
// applied or saved.
import { sessionCode } from "../contract/note-codes.ts";
import type { Policy } from "../contract/policy.ts";
import { type Answer, grant } from "../contract/refusal.ts";
import type { Checked, Note, Proven } from "../contract/verdict.ts";
import { differenceOf } from "../plan/commands.ts";
import type { Facts, SessionFact } from "../plan/facts.ts";
import { notes } from "../policy/lint.ts";
import { cutSessions } from "../policy/way-in.ts";
import { limits } from "../proof/prove.ts";
import { readFacts, standing } from "./ground.ts";
import type { Deps } from "./live.ts";
import type { Tunnel } from "./run.ts";
import type { Id } from "./states.ts";

export interface Tried {
  readonly node: Id | null;
  readonly policy: Policy;
  /** Who works on this machine from afar. */
  readonly sessions: readonly SessionFact[];
}

export async function check(deps: Deps, tunnel: Tunnel, tried: Tried): Promise<Answer<Checked>> {
  const { node, policy, sessions } = tried;
  const planned = await tunnel.plansFor(node, policy);
  const found = planned.ok ? null : (planned.found ?? null);
  // without any node there is still something to say of the rules themselves
  const nowhere = !planned.ok && planned.refusal.code === "node.unknown" && node === null;
  if (!planned.ok && found === null && !nowhere) return planned;
  const read = planned.ok ? planned.value.facts : await readFacts(deps, { ...tunnel.live() });
  const facts = { ...read, lists: deps.lists.of(policy) };
  const exit = planned.ok ? planned.value.exit : null;
  const request = { policy, facts, exit, state: exit === null ? "off" : "connected" } as const;
  const said = notes(request).map((n): Note => ({ code: n.code, data: { ...n.data } }));
  const isLint = (n: Note): boolean => /^(rule|policy)\./.test(n.code) && n.code !== "rule.foreign";
  const saved = planned.ok ? await tunnel.plansFor(node, deps.store.policy()) : null;
  return grant({
    proof: planned.ok ? planned.value.proof : null,
    counterexample: found,
    lints: [
      ...said.filter(isLint),
      ...(exit === null ? [] : cutSessions(request, sessions, tunnel.live().applied !== null).map(cutNote)),
    ],
    notes: said.filter((n) => !isLint(n)),
    difference: planned.ok
      ? differenceOf(saved?.ok === true ? saved.value.connected : null, planned.value.connected)
      : { added: [], removed: [], more: 0 },
  });
}

/** Sessions that the policy of now leaves alone and this one would end; none while nothing is connected. */
export async function wouldCut(
  deps: Deps,
  tunnel: Tunnel,
  tried: Omit<Tried, "node">,
): Promise<readonly SessionFact[]> {
  const { policy, sessions } = tried;
  if (sessions.length === 0 || tunnel.inUse() === null) return [];
  const planned = await tunnel.plansFor(null, policy);
  // what else is wrong with it is said when it is set
  if (!planned.ok) return [];
  const { facts, exit } = planned.value;
  const cutBy = (one: Policy) => cutSessions({ policy: one, facts, exit, state: "connected" }, sessions, true);
  const gone = cutBy(deps.store.policy());
  return cutBy(policy).filter((session) => !gone.includes(session));
}

/** Sessions that connecting would end; what a lock or a tunnel that stands has left alone is not ended by another node. */
export async function connectingCuts(
  deps: Deps,
  tunnel: Tunnel,
  { node, sessions }: { readonly node: Id; readonly sessions: readonly SessionFact[] },
): Promise<readonly SessionFact[]> {
  if (sessions.length === 0 || tunnel.inUse() !== null) return [];
  const planned = await tunnel.plansFor(node, null);
  // what else is wrong with it is said when it is tried
  if (!planned.ok) return [];
  const { facts, exit } = planned.value;
  return cutSessions({ policy: deps.store.policy(), facts, exit, state: "connected" }, sessions, false);
}

export const cutNote = ({ from, port }: SessionFact): Note => ({
  code: sessionCode,
  data: { from, protocol: "tcp", port },
});

export async function proveNow(deps: Deps, tunnel: Tunnel, node: Id | null): Promise<Answer<Proven>> {
  const { applied } = tunnel.live();
  if (applied !== null && (node === null || node === applied.node)) {
    const facts = standing(await readFacts(deps, { ...tunnel.live() }), applied);
    const { plan, exit } = applied;
    const locked = deps.compile({ policy: deps.store.policy(), facts, exit, state: "locked" });
    if (!locked.ok) return locked;
    const plans = { connecting: locked.value, connected: plan, locked: locked.value };
    const proved = deps.prove({ policy: deps.store.policy(), facts, exit, plans });
    if (proved.ok) return grant(proven("stands", proved.value, null, facts));
    return proved.found === undefined ? proved : grant(proven("stands", null, proved.found, facts));
  }
  const planned = await tunnel.plansFor(node, null);
  if (planned.ok) return grant(proven("would", planned.value.proof, null, planned.value.facts));
  return planned.found === undefined ? planned : grant(proven("would", null, planned.found, tunnel.live().facts));
}

function proven(
  about: Proven["about"],
  proof: Proven["proof"],
  counterexample: Proven["counterexample"],
  facts: Facts | null,
): Proven {
  const prefix = facts?.features.devicePrefix === true;
  const known = limits.filter((limit) => limit !== "raw-frames-on-new-devices" || !prefix);
  return { about, proof, counterexample, limits: [...known] };
}
