// Carries one order of the machine out and says how it went. Nothing is decided here but what the order says; every effect goes
// through a port (`Deps`). In the order of an attempt: prepare, close, engine, await, open; then what holds and clears away.
import { refuse, type Refusal } from "../contract/refusal.ts";
import { KernelError } from "../kernel/kernel.ts";
import { awaitNode, close, open, startOrReuse } from "./attempt.ts";
import type { Deps, Live, Outcome, Said } from "./live.ts";
import { lock, replan } from "./lock.ts";
import { prepare } from "./prepare.ts";
import { rest, stopEngine, undo } from "./rest.ts";
import type { Order } from "./states.ts";

type Doing = Exclude<Order, { do: "retry" }>;

/** null: nothing answers this order. */
export async function carryOut(deps: Deps, live: Live, order: Doing, outcome: Outcome): Promise<Said | null> {
  switch (order.do) {
    case "prepare":
      return prepare(deps, live, order.node, outcome);
    case "close":
      return close(deps, live, outcome);
    case "engine":
      return startOrReuse(deps, live, outcome);
    case "await":
      return awaitNode(deps, live, outcome);
    case "open":
      return open(deps, live, outcome);
    case "lock":
      return lock(deps, live, order.node);
    case "replan":
      return replan(deps, live);
    case "stop-engine":
      await stopEngine(live);
      return null;
    case "undo":
      return undo(deps, live);
    case "rest":
      await rest(deps, live);
      return null;
  }
}

/** What a thrown surprise is called on the wire. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof KernelError)) return refuse("helper.failed", {}).refusal;
  const { doing, on, code } = error;
  if (code === "EPERM" || code === "EACCES") return refuse("machine.no-rights", { doing, on }).refusal;
  if (code === "NOT-AS-PLANNED") return refuse("plan.read-back", { on: on.slice(0, 300) }).refusal;
  return refuse("plan.not-applied", { doing, on: on.slice(0, 300), errno: code }).refusal;
}
