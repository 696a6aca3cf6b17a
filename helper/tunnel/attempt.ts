// An attempt, in its order: the gate closes for all but the node, the engine starts, the node answers, the gate opens.
import { refuse } from "../contract/refusal.ts";
import { apply, namesOf } from "./ground.ts";
import type { Deps, Live, Outcome, Prepared, Said } from "./live.ts";

/** Shares of the deadline, growing: the last one is for nodes that are far away. */
const greetings = [0.2, 0.3, 0.5] as const;

export async function close(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
  const { node, exit, closing, facts } = preparedOf(live);
  const ref = deps.store.node(node);
  outcome.step("gate-closed", { state: "running", tookMs: null });
  // before the first change: whoever dies in the middle is found by the next life
  const wanted = {
    ...{ node, name: ref?.name ?? "", address: exit.endpoint.address },
    endpoint: `${ref?.endpoint.host ?? exit.endpoint.address}:${exit.endpoint.port}`,
  };
  deps.wanted.write(wanted);
  deps.last.write(wanted);
  const applied = await apply(deps, live, { node, exit, plan: closing, alone: false, names: namesOf(facts) });
  outcome.step("gate-closed", { state: "done", tookMs: applied.tookMs });
  return { kind: "closed" };
}

export async function startOrReuse(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
  const { configuration, exit } = preparedOf(live);
  const began = performance.now();
  outcome.step("node-answers", { state: "running", tookMs: null });
  if (live.engine === null) {
    const kind = deps.findEngine();
    if (!kind.ok) return { kind: "refused", refusal: kind.refusal };
    const engine = await deps.startEngine(kind.value, configuration.listenPort ?? 0, outcome.said);
    live.engine = engine;
    void engine.ended.then((how) => {
      outcome.engineEnded(engine, how);
    });
  }
  await live.engine.peer({ configuration, endpoint: exit.endpoint });
  outcome.step("node-answers", { state: "running", tookMs: performance.now() - began });
  return { kind: "engine-up" };
}

export async function awaitNode(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
  const { node, configuration, exit } = preparedOf(live);
  const began = performance.now();
  let answered = false;
  for (const share of greetings) {
    const { engine } = live;
    if (answered || engine === null || outcome.signal.aborted) break;
    // WireGuard greets again after 5 s (Rekey-Timeout); whoever clicked should not wait that long for one lost packet
    if (share !== greetings[0]) await engine.peer({ configuration, endpoint: exit.endpoint });
    answered = await engine.answered(configuration, share * deps.answerMs, outcome.signal);
  }
  const tookMs = performance.now() - began;
  outcome.step("node-answers", { state: answered ? "done" : "failed", tookMs });
  if (answered) return { kind: "answered" };
  return { kind: "refused", refusal: refuse("node.unreachable", { node, waitedMs: Math.round(tookMs) }).refusal };
}

export async function open(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
  const { node, exit, connected, alone, facts } = preparedOf(live);
  outcome.step("routes-laid", { state: "running", tookMs: null });
  const { phases } = await apply(deps, live, { node, exit, plan: connected, alone, names: namesOf(facts) });
  outcome.step("routes-laid", { state: "done", tookMs: phases.changeMs });
  outcome.step("read-back", { state: "done", tookMs: phases.readBackMs });
  outcome.step("gate-opens", { state: "done", tookMs: phases.gateMs });
  return { kind: "opened" };
}

function preparedOf(live: Live): Prepared {
  if (live.prepared === null) throw new Error("an attempt goes on without having been prepared");
  return live.prepared;
}
