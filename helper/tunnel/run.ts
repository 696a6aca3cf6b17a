// The tunnel as the rest of the helper knows it: calls in, statuses and traffic out. Inside, one queue: an event moves the
// machine, its orders are carried out one after the other, each answer is the next event. A new epoch raises the signal of
// what runs and drops what has not begun, but for orders that close and clear away.
import type { Node } from "../contract/node.ts";
import type { Policy } from "../contract/policy.ts";
import { type Answer, grant, refuse, type Refusal } from "../contract/refusal.ts";
import type { Drift, NodeRef, Status, Traffic } from "../contract/status.ts";
import type { Change } from "../kernel/kernel.ts";
import { proveAhead } from "./ahead.ts";
import { type Findings, type FindingsDeps, watchFindings } from "./findings.ts";
import { start, step as move, survives } from "./machine.ts";
import {
  carryOut,
  type Live,
  plansFor,
  type Planned,
  type Prepared,
  readFacts,
  refusalOf,
  type Said,
} from "./orders.ts";
import { pendingPolicy, type RollbackFile } from "./rollback.ts";
import type { Event, Id, Machine, Order } from "./states.ts";
import { buildStatus, nodeRef, noSteps, type StepTimes } from "./status.ts";
import { watchMachine, watchTraffic } from "./watch.ts";

export interface Tunnel {
  status(): Status;
  connect(node: Id): Promise<Answer<Status>>;
  disconnect(): Promise<Answer<Status>>;
  reset(): Promise<Answer<{ undone: string[] }>>;
  /** confirmWithin, seconds: the policy of before returns unless `confirm` comes. */
  setPolicy(policy: Policy, confirmWithin?: number): Promise<Answer<Status>>;
  confirm(): Promise<Answer<Status>>;
  readonly findings: Findings;
  plansFor(node: Id | null, policy: Policy | null): Promise<Planned>;
  /** The node in use, if any: it cannot be removed. */
  inUse(): Id | null;
  live(): Live;
  /** As which the node saw us; told by whoever asked it. */
  seen(seenAs: Status["seenAs"]): void;
  /** Something changed that plans are made of: they are proven before somebody waits for them. */
  warm(): void;
  subscribe(listener: Listener): () => void;
  /** Adopts what an earlier life left, then watches. */
  begin(): Promise<void>;
  /** Ends the engine and lets go of everything, and leaves the machine as closed as it is. */
  end(): Promise<void>;
}

export type Told =
  { readonly event: "status"; readonly data: Status } | { readonly event: "traffic"; readonly data: Traffic };
export type Listener = (told: Told) => void;

export interface RunDeps extends FindingsDeps {
  readonly version: string;
  readonly rollback: RollbackFile;
  readonly random: () => number;
  /** Called each time a connection came up. */
  readonly connected: (tunnel: Tunnel) => void;
}

const driftKept = 20;
/** Announcements of what is mended already may come so much after it: two readings of a busy machine. */
const lateMs = 500;
/** Of changes of which it is not known yet whether they hurt. */
const touchedKept = 64;

export function createTunnel(deps: RunDeps): Tunnel {
  let machine: Machine = start;
  let steps: StepTimes = noSteps;
  let since = deps.now();
  let seq = 0;
  let lastHeard: number | null = null;
  let seenAs: Status["seenAs"] = { ipv4: null, ipv6: null };
  let drift: readonly Drift[] = [];
  const last: { refusal: Refusal | null } = { refusal: null };
  let kept: Status | null = null;
  let queue: { readonly order: Order; readonly epoch: number }[] = [];
  let pumping: Promise<void> | null = null;
  let interrupt = new AbortController();
  let retryTimer: NodeJS.Timeout | undefined;
  let touched: readonly Change[] = [];
  let mendedAt = -Infinity;
  let settled: (() => void)[] = [];
  let listeners: readonly Listener[] = [];
  const closers: (() => void)[] = [];
  const refs = new Map<Id, NodeRef>();
  const live: Live = {
    ...{ facts: null, uplinks: [], engine: null, prepared: null, applied: null, proof: null, undone: [] },
    exits: new Map(),
  };

  const ahead = proveAhead(deps, live, () => machine);
  const findings = watchFindings(deps, live, {
    steady: () => machine.kind === "connected",
    changed: () => {
      publish();
    },
    repaired: (mended) => {
      drift = [...drift, mended].slice(-driftKept);
    },
  });
  const pending = pendingPolicy(deps, (before) => {
    deps.log("policy not confirmed: the one of before returns", {});
    deps.store.setPolicy(before);
    happen({ kind: "policy-changed" });
    publish();
  });

  const refOf = (id: Id): NodeRef => {
    const node = deps.store.node(id);
    if (node !== undefined) refs.set(id, nodeRef(node));
    return refs.get(id) ?? { id, name: "", endpoint: "" };
  };

  const tell = (told: Told): void => {
    for (const listener of listeners) listener(told);
  };

  const status = (): Status =>
    (kept ??= buildStatus({
      ...{ version: deps.version, seq: (seq += 1), at: deps.now(), since, machine, refs: refOf, steps, lastHeard },
      ...{ facts: live.facts, uplinks: live.uplinks, policy: deps.store.policy(), applied: live.applied, seenAs },
      ...{ proof: live.proof, standIn: live.engine?.kind.standIn ?? false, confirmUntil: pending.until() },
      drift: [...drift, ...findings.offered()].slice(-driftKept),
    }));

  const publish = (): void => {
    // while taking down, which takes milliseconds, the last state stays: there is no word for it between up and off
    if (machine.kind === "leaving" && !machine.failed) return;
    kept = null;
    tell({ event: "status", data: status() });
  };

  const happen = (event: Event): void => {
    const before = machine;
    if (event.kind === "refused" && event.epoch === machine.epoch) last.refusal = event.refusal;
    const { state, orders } = move(machine, event, {
      ...{ at: deps.now(), jitter: deps.random(), boot: deps.store.policy().killSwitch === "boot" },
    });
    machine = state;
    if (state.epoch !== before.epoch) {
      interrupt.abort();
      interrupt = new AbortController();
      clearTimeout(retryTimer);
      queue = queue.filter(({ order }) => survives(order));
    }
    for (const order of orders) {
      if (order.do === "replan" && queue.some((q) => q.order.do === "replan")) continue;
      queue.push({ order, epoch: state.epoch });
    }
    if (state !== before) entered(before);
    wake();
  };

  const wake = (): void => {
    pumping ??= pump().finally(() => {
      pumping = null;
      // an event of the last moment may have ordered more
      if (queue.length > 0) wake();
    });
  };

  const entered = (before: Machine): void => {
    if (visible(before) !== visible(machine)) {
      since = deps.now();
      if (machine.kind === "connecting" || machine.kind === "switching") steps = noSteps;
      if (machine.kind === "connected") deps.store.used(machine.node, since);
      if (machine.kind !== "connected") seenAs = { ipv4: null, ipv6: null };
      deps.log("state", { kind: machine.kind, ...("cause" in machine ? { cause: machine.cause } : {}) });
    }
    publish();
    ahead.poke();
    if (machine.kind === "connected" || before.kind === "connected") findings.poke();
    if (machine.kind === "connected" && before.kind !== "connected") deps.connected(tunnel);
    if (isSettled(machine)) {
      const waiting = settled;
      settled = [];
      for (const resolve of waiting) resolve();
    }
  };

  const pump = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { order, epoch } = next;
      if (order.do === "retry") {
        clearTimeout(retryTimer);
        retryTimer = setTimeout(() => {
          happen({ kind: "retry-due", epoch });
        }, order.afterMs);
        continue;
      }
      const said = await carry(order);
      if (said?.kind === "replanned" || said?.kind === "locked") keepDrift(said.mended);
      if (said !== null) happen({ ...said, epoch });
    }
  };

  const carry = async (order: Exclude<Order, { do: "retry" }>): Promise<Said | null> => {
    try {
      return await carryOut(deps, live, order, {
        signal: interrupt.signal,
        switching: machine.kind === "switching",
        step: (name, step) => {
          steps = { ...steps, [name]: step };
          if (machine.kind === "connecting" || machine.kind === "switching") publish();
        },
        engineEnded: (engine, how) => {
          if (live.engine !== engine) return;
          live.engine = null;
          deps.log("engine ended", { how });
          happen({ kind: "engine-died" });
        },
        said: (event) => {
          happen({ kind: event === "silent" ? "node-silent" : "node-heard" });
        },
      });
    } catch (error) {
      deps.log("order failed", { order: order.do, error: error instanceof Error ? error.stack : String(error) });
      if (order.do === "lock") return { kind: "lock-failed" };
      if (order.do === "stop-engine") return null;
      last.refusal = refusalOf(error);
      return order.do === "undo" ? { kind: "undo-failed" } : { kind: "refused", refusal: last.refusal };
    }
  };

  const keepDrift = (mended: boolean): void => {
    const changes = touched;
    touched = [];
    if (mended) mendedAt = deps.now();
    // told of only after another change had it mended already
    if (deps.now() - mendedAt < lateMs) {
      const fresh = changes
        .filter((change) => change.ours)
        .map(({ at, what, author }) => ({ at, what: what.slice(0, 400), author, mended: true }));
      drift = [...drift, ...fresh].slice(-driftKept);
    }
    publish();
  };

  /** Why what was asked for did not come: the last refusal, or that something else was asked in between. */
  const why = (): Answer<never> => ({ ok: false, refusal: last.refusal ?? refuse("call.not-now").refusal });

  const settle = async (): Promise<void> => {
    if (isSettled(machine)) return;
    await new Promise<void>((resolve) => settled.push(resolve));
  };

  const tunnel: Tunnel = {
    status,
    async connect(node) {
      if (deps.store.node(node) === undefined) return refuse("node.unknown", { node });
      last.refusal = null;
      happen({ kind: "connect", node });
      await settle();
      if (machine.kind === "connected" && machine.node === node) return grant(status());
      return why();
    },
    async disconnect() {
      last.refusal = null;
      happen({ kind: "disconnect" });
      await settle();
      if (machine.kind === "off" || machine.kind === "failed") return grant(status());
      return why();
    },
    async reset() {
      const off = await tunnel.disconnect();
      if (!off.ok) return off;
      const undone = live.undone;
      live.undone = [];
      // also what no state of this life knows of
      return grant({ undone: [...undone, ...(await deps.kernel.undo())] });
    },
    async setPolicy(policy, confirmWithin) {
      const node = inUse();
      if (node !== null) {
        const plans = await plansFor(deps, live, node, policy);
        if (!plans.ok) return plans;
      }
      if (confirmWithin === undefined) pending.keep();
      else pending.begin(deps.store.policy(), confirmWithin);
      deps.store.setPolicy(policy);
      kept = null;
      happen({ kind: "policy-changed" });
      await pumping;
      findings.poke();
      publish();
      return grant(status());
    },
    async confirm() {
      if (!pending.keep()) return refuse("call.not-now");
      publish();
      return grant(status());
    },
    findings,
    async plansFor(node, policy) {
      const id = node ?? inUse() ?? lastUsed(deps.store.nodes());
      if (id === undefined) return refuse("node.unknown", { node: "" });
      return plansFor(deps, { ...live, exits: new Map(live.exits) }, id, policy ?? deps.store.policy());
    },
    inUse: () => inUse(),
    live: () => live,
    seen(as) {
      seenAs = as;
      publish();
    },
    warm() {
      ahead.poke();
    },
    subscribe(listener) {
      listeners = [...listeners, listener];
      return () => {
        listeners = listeners.filter((l) => l !== listener);
      };
    },
    async begin() {
      const before = pending.left();
      if (before !== undefined) deps.store.setPolicy(before);
      const boot = deps.store.policy().killSwitch === "boot";
      const wanted = deps.wanted.read() ?? (boot ? deps.last.read() : undefined);
      if (wanted === undefined) {
        // a life that ended while taking down, or before it noted its node
        const undone = await deps.kernel.undo();
        if (undone.length > 0) deps.log("undone from an earlier life", { commands: undone });
      } else {
        refs.set(wanted.node, { id: wanted.node, name: wanted.name, endpoint: wanted.endpoint });
        adopt(wanted.node, wanted.address);
      }
      await readFacts(deps, live);
      closers.push(
        watchMachine(deps, live, {
          touched: (change) => {
            touched = [...touched, change].slice(-touchedKept);
            findings.ground(change);
          },
          happen,
          publish: () => {
            publish();
            ahead.poke();
          },
        }),
      );
      closers.push(
        watchTraffic(deps, live, () => machine, {
          traffic: (data) => {
            lastHeard = data.lastHandshake ?? lastHeard;
            tell({ event: "traffic", data });
          },
          happen,
        }),
      );
      publish();
      ahead.poke();
    },
    async end() {
      ahead.close();
      findings.close();
      pending.close();
      for (const close of closers.splice(0)) close();
      clearTimeout(retryTimer);
      interrupt.abort();
      queue = [];
      await pumping;
      const { engine } = live;
      live.engine = null;
      await engine?.stop();
      deps.wire.close();
    },
  };

  const inUse = (): Id | null => {
    if (machine.kind === "off" || machine.kind === "failed") return null;
    return machine.node;
  };

  const adopt = (node: Id, address: Prepared["exit"]["endpoint"]["address"]): void => {
    const c = deps.store.configuration(node);
    if (c !== undefined) {
      const endpoint = { address, port: c.endpoint.port };
      live.exits.set(node, { endpoint, inside: c.addresses, dns: c.dns, allowedIps: c.allowedIps, mtu: c.mtu });
    }
    happen({ kind: "restarted", node });
  };

  return tunnel;
}

function lastUsed(nodes: readonly Node[]): Id | undefined {
  return [...nodes].sort((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0))[0]?.id;
}

/** Between two of these nobody waits any more. */
function isSettled(m: Machine): boolean {
  if (m.kind === "off" || m.kind === "failed" || m.kind === "connected") return true;
  if (m.kind === "leaving") return m.failed;
  return m.kind === "locked" && m.stage === "waiting";
}

function visible(m: Machine): string {
  return [m.kind, "node" in m ? m.node : "", "cause" in m ? m.cause : ""].join();
}
