// What is told of the tunnel: one status, made when somebody asks and kept until something changes, and who listens to it. Also
// what the status alone needs: since when a state stands, how far its steps are, as whom the node saw us, what was mended.
import type { NodeRef, Status, StepName, Traffic } from "../contract/status.ts";
import type { Store } from "../nodes/store.ts";
import type { Drifts } from "./drifts.ts";
import type { Live } from "./live.ts";
import type { Id, Machine } from "./states.ts";
import { buildStatus, nodeRef, noSteps, type Pieces, type StepTimes } from "./status.ts";

export type Told =
  { readonly event: "status"; readonly data: Status } | { readonly event: "traffic"; readonly data: Traffic };
export type Listener = (told: Told) => void;

export interface Telling {
  readonly status: () => Status;
  readonly publish: () => void;
  readonly subscribe: (listener: Listener) => () => void;
  /** The machine is in another state than before. */
  readonly entered: (before: Machine) => void;
  readonly step: (name: StepName, step: StepTimes[StepName]) => void;
  readonly seen: (as: Status["seenAs"]) => void;
  readonly traffic: (data: Traffic) => void;
  /** A node by this id and name was there, whatever the store says now. */
  readonly remember: (ref: NodeRef) => void;
}

export interface TellingDeps {
  readonly version: string;
  readonly now: () => number;
  readonly store: Store;
}

export function tellOf(
  deps: TellingDeps,
  live: Live,
  of: {
    readonly machine: () => Machine;
    readonly drift: () => ReturnType<Drifts["list"]>;
    readonly confirmUntil: () => number | null;
  },
): Telling {
  let steps: StepTimes = noSteps;
  let since = deps.now();
  let seq = 0;
  let lastHeard: number | null = null;
  let seenAs: Status["seenAs"] = { ipv4: null, ipv6: null };
  let kept: Status | null = null;
  let listeners: readonly Listener[] = [];
  const refs = new Map<Id, NodeRef>();

  const refOf = (id: Id): NodeRef => {
    const node = deps.store.node(id);
    if (node !== undefined) refs.set(id, nodeRef(node));
    return refs.get(id) ?? { id, name: "", endpoint: "" };
  };

  const pieces = (): Pieces => ({
    ...{ version: deps.version, seq: (seq += 1), at: deps.now(), since, steps, lastHeard, seenAs },
    ...{ machine: of.machine(), refs: refOf, drift: of.drift(), confirmUntil: of.confirmUntil() },
    ...{
      facts: live.facts,
      uplinks: live.uplinks,
      policy: deps.store.policy(),
      applied: live.applied,
      held: live.held,
    },
    ...{ proof: live.proof, standIn: live.engine?.kind.standIn ?? false },
  });

  const tell = (told: Told): void => {
    for (const listener of listeners) listener(told);
  };

  const telling: Telling = {
    status: () => (kept ??= buildStatus(pieces())),
    publish() {
      const machine = of.machine();
      // while taking down, which takes milliseconds, the last state stays: there is no word for it between up and off
      if (machine.kind === "leaving" && !machine.failed) return;
      kept = null;
      tell({ event: "status", data: telling.status() });
    },
    subscribe(listener) {
      listeners = [...listeners, listener];
      return () => {
        listeners = listeners.filter((l) => l !== listener);
      };
    },
    entered(before) {
      const machine = of.machine();
      if (visible(before) === visible(machine)) return;
      since = deps.now();
      if (machine.kind === "connecting" || machine.kind === "switching") steps = noSteps;
      if (machine.kind === "connected") deps.store.used(machine.node, since);
      if (machine.kind !== "connected") seenAs = { ipv4: null, ipv6: null };
    },
    step(name, step) {
      steps = { ...steps, [name]: step };
      const { kind } = of.machine();
      if (kind === "connecting" || kind === "switching") telling.publish();
    },
    seen(as) {
      seenAs = as;
      telling.publish();
    },
    traffic(data) {
      lastHeard = data.lastHandshake ?? lastHeard;
      tell({ event: "traffic", data });
    },
    remember(ref) {
      refs.set(ref.id, ref);
    },
  };
  return telling;
}

function visible(m: Machine): string {
  return [m.kind, "node" in m ? m.node : "", "cause" in m ? m.cause : ""].join();
}
