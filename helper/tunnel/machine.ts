// The life of a tunnel: state × event → state + orders. An attempt passes five stages, each an order whose answer is the
// next event: prepare (resolve, read, compile, prove: changes nothing) → close (the gate, links, rules) → engine → await
// (the node's handshake) → open (routes, read-back, gate). Whatever fails before `close` leaves the machine as it was;
// whatever fails after it is either undone completely (`undo`) or held (`lock`). Only `undo` lets packets out beside the
// tunnel, and only the person's wish or a connection that never was orders it.
//
//   off, failed ──connect──▶ connecting ──opened──▶ connected ──connect other──▶ switching ──opened──▶ connected
//                                │ fails                │ engine, adapter, node, uplink, plan      │ fails: back to the first
//                                ▼                      ▼                                          ▼
//                        leaving ─▶ failed           locked ──retry, heard, uplink──▶ … ──opened──▶ connected
//   any ──disconnect──▶ leaving ─▶ off
import type { Refusal } from "../contract/refusal.ts";
import type { LockCause } from "../contract/status.ts";
import type { Env, Event, Id, Machine, Move, Order, Then } from "./states.ts";

export const start: Machine = { kind: "off", epoch: 0 };

/** Mendings within the window before it counts as a fight: a DHCP client that renews touches ours once or twice. */
const fightBudget = { mendings: 5, windowMs: 10_000 } as const;
/** A script that takes six rules away, one command each, came once. */
const visitMs = 250;
/** While fighting, what is ours is laid again after this pause, and sooner when it was touched: held, but no loop. */
const fightPauseMs = 10_000;
const fightHoldMs = 500;
const undoPauseMs = 2000;
/** A connection that lived shorter than this goes on counting attempts, so that an engine dying at once is not a loop. */
const steadyMs = 30_000;

/** Orders not yet begun are dropped when a new epoch begins, but for those that close and clear away. */
export function survives(order: Order): boolean {
  return order.do === "lock" || order.do === "stop-engine";
}

/** First retry at once, then 250 ms doubling to 8 s, half of it by chance so that clients of a node do not march. */
export function retryMs(attempts: number, jitter: number): number {
  if (attempts === 0) return 0;
  return Math.round(Math.min(8000, 250 * 2 ** Math.min(attempts - 1, 10)) * (0.5 + jitter / 2));
}

export function step(state: Machine, event: Event, env: Env): Move {
  if ("epoch" in event && event.epoch !== state.epoch) return stay(state);
  switch (event.kind) {
    case "connect":
      return connect(state, event.node);
    case "disconnect":
      return disconnect(state);
    case "restarted":
      return state.kind === "off" ? relock(state, event.node, "helper-restarted", 0, env) : stay(state);
    case "prepared":
    case "closed":
    case "engine-up":
    case "answered":
      return advance(state, event.kind);
    case "opened":
      return opened(state, env);
    case "refused":
      return refused(state, event.refusal, env);
    case "engine-died":
    case "adapter-gone":
      return lost(state, event.kind, env);
    case "node-silent":
      return state.kind === "connected"
        ? relock(state, state.node, "node-silent", lived(state, env), env)
        : stay(state);
    case "node-heard":
      return state.kind === "locked" && state.stage === "waiting" && state.cause !== "fight"
        ? retry(state)
        : stay(state);
    case "changed":
      return isAtRest(state) ? rest(state, env.boot) : changed(state, event);
    case "policy-changed":
      return isAtRest(state) ? rest(state, true) : changed(state, { uplinks: true, ours: false });
    case "names-changed":
      return state.kind === "connected" ? { state, orders: [{ do: "replan" }] } : stay(state);
    case "replanned":
    case "locked":
      return event.mended ? mended(state, env) : stay(state);
    case "retry-due":
      return retryDue(state);
    case "undone":
      return undone(state);
    case "undo-failed":
      if (state.kind !== "leaving") return stay(state);
      return { state: { ...state, failed: true }, orders: [{ do: "retry", afterMs: undoPauseMs }] };
    case "lock-failed":
      return state.kind === "locked" && state.cause !== "fight"
        ? stay({ ...state, cause: "plan-broken" })
        : stay(state);
    default:
      return never(event);
  }
}

function connect(state: Machine, node: Id): Move {
  const epoch = state.epoch + 1;
  switch (state.kind) {
    case "off":
    case "failed":
      return begin({ kind: "connecting", epoch, node, stage: "prepare", closed: false, stale: false, back: null });
    case "connecting":
      return state.node === node ? stay(state) : begin({ ...state, epoch, node, stage: "prepare", stale: false });
    case "connected":
      if (state.node === node) return stay(state);
      return begin({
        ...{ kind: "switching", epoch, from: state.node, node, stage: "prepare" },
        ...{ closed: false, stale: false, returning: false, since: state.since },
      });
    case "switching":
      if (state.node === node) return stay(state);
      if (!state.closed && state.from === node) return asBefore(state);
      return begin({ ...state, epoch, node, stage: "prepare", stale: false, returning: state.from === node });
    case "locked":
      if (state.node === node) return retry({ ...state, attempts: 0 });
      return begin({
        ...{ kind: "connecting", epoch, node, stage: "prepare", closed: true, stale: false },
        back: { node: state.node, cause: state.cause },
      });
    case "leaving":
      if (!state.failed) return stay({ ...state, then: { kind: "connect", node } });
      return begin({
        ...{ kind: "connecting", epoch, node, stage: "prepare", closed: true, stale: false },
        back: { node: state.node, cause: "plan-broken" },
      });
    default:
      return never(state);
  }
}

function disconnect(state: Machine): Move {
  switch (state.kind) {
    case "off":
      return stay(state);
    case "failed":
      return stay({ kind: "off", epoch: state.epoch + 1 });
    case "leaving":
      if (state.failed) return leave(state, { kind: "off" });
      return stay({ ...state, then: { kind: "off" } });
    case "connecting":
      if (!state.closed) return { state: { kind: "off", epoch: state.epoch + 1 }, orders: [{ do: "stop-engine" }] };
      return leave(state, { kind: "off" });
    case "connected":
    case "switching":
    case "locked":
      return leave(state, { kind: "off" });
    default:
      return never(state);
  }
}

const next = {
  prepared: { from: "prepare", to: "close" },
  closed: { from: "close", to: "engine" },
  "engine-up": { from: "engine", to: "await" },
  answered: { from: "await", to: "open" },
} as const;

function advance(state: Machine, answer: keyof typeof next): Move {
  if (!("stage" in state) || state.stage !== next[answer].from) return stay(state);
  const stage = next[answer].to;
  const orders: Order[] = [{ do: stage, node: state.node }];
  if (state.kind === "locked") return { state: { ...state, stage }, orders };
  // ordered counts as changed: what became of an order that is interrupted is not known
  return { state: { ...state, stage, closed: true }, orders };
}

function opened(state: Machine, env: Env): Move {
  if (!("stage" in state) || state.stage !== "open") return stay(state);
  const attempts = state.kind === "locked" ? state.attempts + 1 : 0;
  const { epoch, node } = state;
  return {
    state: { kind: "connected", epoch: epoch + 1, node, since: env.at, attempts, mended: [] },
    orders: state.stale ? [{ do: "replan" }] : [],
  };
}

function refused(state: Machine, refusal: Refusal, env: Env): Move {
  const epoch = state.epoch + 1;
  switch (state.kind) {
    case "connecting":
      if (state.back !== null) return hold(state, state.back.node, state.back.cause, env);
      if (!state.closed) {
        return { state: { kind: "failed", epoch, node: state.node, refusal }, orders: [{ do: "stop-engine" }] };
      }
      if (env.boot) return hold(state, state.node, "node-silent", env);
      return leave(state, { kind: "failed", refusal });
    case "switching":
      if (!state.closed) return asBefore(state);
      if (state.returning) return hold(state, state.node, "node-silent", env);
      return begin({ ...state, epoch, from: state.node, node: state.from, stage: "prepare", returning: true });
    case "connected":
      return relock(state, state.node, causeOf(refusal), lived(state, env), env);
    case "locked": {
      if (state.stage === "waiting") return stay(state);
      const attempts = state.attempts + 1;
      const cause = state.cause === "fight" ? causeOf(refusal) : state.cause;
      const waiting: Machine = { ...state, epoch, cause, attempts, stage: "waiting" };
      return { state: waiting, orders: [{ do: "retry", afterMs: retryMs(attempts, env.jitter) }] };
    }
    case "off":
    case "failed":
    case "leaving":
      return stay(state);
    default:
      return never(state);
  }
}

function lost(state: Machine, cause: "engine-died" | "adapter-gone", env: Env): Move {
  if (state.kind === "connected") return relock(state, state.node, cause, lived(state, env), env);
  if (!("stage" in state)) return stay(state);
  if (state.stage === "waiting") {
    // the next attempt makes a new engine; a lost adapter took its routes along, which are laid again at once
    return cause === "adapter-gone" ? { state, orders: [{ do: "lock", node: state.node }] } : stay(state);
  }
  const early = state.stage === "prepare" || state.stage === "close";
  if (early && (cause === "engine-died" || state.stage === "prepare")) return stay(state);
  return refused(state, { code: "helper.failed", data: { what: cause } }, env);
}

function changed(state: Machine, { uplinks, ours }: { readonly uplinks: boolean; readonly ours: boolean }): Move {
  if (state.kind === "connected") return { state, orders: [{ do: "replan" }] };
  if (!("stage" in state)) return stay(state);
  if (state.stage !== "waiting") return stay({ ...state, stale: true });
  if (state.cause === "fight") {
    if (!ours || state.hurried) return stay(state);
    return { state: { ...state, hurried: true }, orders: [{ do: "retry", afterMs: fightHoldMs }] };
  }
  return uplinks ? retry(state) : { state, orders: [{ do: "lock", node: state.node }] };
}

function isAtRest({ kind }: Machine): boolean {
  return kind === "off" || kind === "failed";
}

/** The gate "from boot on" also stands on the links of now. */
function rest(state: Machine, due: boolean): Move {
  return due ? { state, orders: [{ do: "rest" }] } : stay(state);
}

/** Another program changed what is ours: laid again a few times, then it is a fight. */
function mended(state: Machine, env: Env): Move {
  if (state.kind !== "connected" && state.kind !== "locked") return stay(state);
  const visits = state.mended.filter((at) => env.at - at < fightBudget.windowMs);
  const [last] = visits.slice(-1);
  if (last !== undefined && env.at - last < visitMs) return stay(state);
  const recent = [...visits, env.at];
  if (recent.length <= fightBudget.mendings) return stay({ ...state, mended: recent });
  if (state.kind === "locked" && (state.cause === "fight" || state.stage !== "waiting")) return stay(state);
  return hold(state, state.node, "fight");
}

function retryDue(state: Machine): Move {
  if (state.kind === "leaving" && state.failed) return { state, orders: [{ do: "undo" }] };
  if (state.kind !== "locked" || state.stage !== "waiting") return stay(state);
  if (state.cause !== "fight") return retry(state);
  return {
    state: { ...state, mended: [], hurried: false },
    orders: [
      { do: "lock", node: state.node },
      { do: "retry", afterMs: fightPauseMs },
    ],
  };
}

function undone(state: Machine): Move {
  if (state.kind !== "leaving") return stay(state);
  const epoch = state.epoch + 1;
  if (state.then.kind === "off") return stay({ kind: "off", epoch });
  if (state.then.kind === "failed")
    return stay({ kind: "failed", epoch, node: state.node, refusal: state.then.refusal });
  return connect({ kind: "off", epoch }, state.then.node);
}

/** A switch that changed nothing yet: the first node is up as before. */
function asBefore(state: Machine & { kind: "switching" }): Move {
  const { epoch, from, since, stale } = state;
  return {
    state: { kind: "connected", epoch: epoch + 1, node: from, since, attempts: 0, mended: [] },
    orders: stale ? [{ do: "replan" }] : [],
  };
}

/** Locked, and the next attempt begins at once or, after short-lived connections, later. */
function relock(state: Machine, node: Id, cause: LockCause, attempts: number, env: Env): Move {
  const locked: Machine = {
    ...{ kind: "locked", epoch: state.epoch + 1, node, cause, attempts, stale: false, hurried: false },
    ...{ stage: attempts === 0 ? "prepare" : "waiting", mended: "mended" in state ? state.mended : [] },
  };
  const then: Order =
    attempts === 0 ? { do: "prepare", node } : { do: "retry", afterMs: retryMs(attempts, env.jitter) };
  const before: Order[] = cause === "adapter-gone" ? [{ do: "stop-engine" }] : [];
  return { state: locked, orders: [...before, { do: "lock", node }, then] };
}

/** Locked and waiting: for the next try, or for the person when two programs fight or an undo failed. */
function hold(state: Machine, node: Id, cause: LockCause, env: Env | null = null): Move {
  const afterMs = cause === "fight" || env === null ? fightPauseMs : retryMs(1, env.jitter);
  return {
    state: {
      kind: "locked",
      epoch: state.epoch + 1,
      node,
      cause,
      attempts: 1,
      stage: "waiting",
      stale: false,
      mended: [],
      hurried: false,
    },
    orders: [
      { do: "lock", node },
      { do: "retry", afterMs },
    ],
  };
}

/** A lock that could not be laid is laid before anything else. */
function retry(state: Machine & { kind: "locked" }): Move {
  const move = begin({ ...state, epoch: state.epoch + 1, stage: "prepare", stale: false });
  if (state.cause !== "plan-broken") return move;
  return { state: move.state, orders: [{ do: "lock", node: state.node }, ...move.orders] };
}

function begin(state: Machine & { readonly node: Id }): Move {
  return { state, orders: [{ do: "prepare", node: state.node }] };
}

function leave(state: Machine & { readonly node: Id }, then: Then): Move {
  return {
    state: { kind: "leaving", epoch: state.epoch + 1, node: state.node, then, failed: false },
    orders: [{ do: "stop-engine" }, { do: "undo" }],
  };
}

/** Attempts to start from when a connection ends: none after a steady one. */
function lived(state: Machine & { kind: "connected" }, env: Env): number {
  return env.at - state.since >= steadyMs ? 0 : state.attempts;
}

function causeOf(refusal: Refusal): LockCause {
  if (refusal.code === "machine.no-uplink" || refusal.code === "machine.no-route") return "uplink-lost";
  if (refusal.code === "node.unreachable" || refusal.code === "node.name-not-found") return "node-silent";
  return refusal.code === "plan.fight" ? "fight" : "plan-broken";
}

function stay(state: Machine): Move {
  return { state, orders: [] };
}

function never(value: never): never {
  throw new Error(`not a case: ${JSON.stringify(value)}`);
}
