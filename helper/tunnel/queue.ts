// The tunnel's one queue: an event moves the machine, its orders are carried out one after the other, each answer is the next
// event. A new epoch raises the signal of what runs and drops what has not begun, but for orders that close and clear away.
import type { Refusal } from "../contract/refusal.ts";
import { start, step as move, survives } from "./machine.ts";
import type { Said } from "./live.ts";
import { refusalOf } from "./orders.ts";
import type { Event, Machine, Order } from "./states.ts";

/** What is carried out by others; `retry` is the queue's own. */
export type Work = Exclude<Order, { readonly do: "retry" }>;

export interface Queue {
  machine(): Machine;
  readonly happen: (event: Event) => void;
  /** When nobody waits any more for what was asked. */
  settled(): Promise<void>;
  /** When what is ordered by now was carried out, whatever state it leads to. */
  drained(): Promise<void>;
  /** Why the last thing asked for did not come; null: something else was asked in between. */
  why(): Refusal | null;
  forgetWhy(): void;
  /** Drops what waits, interrupts what runs, and resolves when it has ended. */
  close(): Promise<void>;
}

export interface QueueDeps {
  readonly now: () => number;
  readonly random: () => number;
  readonly boot: () => boolean;
  readonly carry: (order: Work, signal: AbortSignal) => Promise<Said | null>;
  readonly entered: (before: Machine) => void;
  readonly log: (what: string, data: Readonly<Record<string, unknown>>) => void;
}

export function openQueue(deps: QueueDeps): Queue {
  let machine: Machine = start;
  let waiting: { readonly order: Order; readonly epoch: number }[] = [];
  let pumping: Promise<void> | null = null;
  let interrupt = new AbortController();
  let retryTimer: NodeJS.Timeout | undefined;
  let last: Refusal | null = null;
  let settled: (() => void)[] = [];

  const happen = (event: Event): void => {
    const before = machine;
    if (event.kind === "refused" && event.epoch === machine.epoch) last = event.refusal;
    const { state, orders } = move(machine, event, { at: deps.now(), jitter: deps.random(), boot: deps.boot() });
    machine = state;
    if (state.epoch !== before.epoch) {
      interrupt.abort();
      interrupt = new AbortController();
      clearTimeout(retryTimer);
      waiting = waiting.filter(({ order }) => survives(order));
    }
    for (const order of orders) {
      const again = order.do === "replan" || order.do === "rest";
      if (again && waiting.some((w) => w.order.do === order.do)) continue;
      waiting.push({ order, epoch: state.epoch });
    }
    if (state !== before) entered(before);
    wake();
  };

  const entered = (before: Machine): void => {
    deps.entered(before);
    if (!isSettled(machine)) return;
    const resolved = settled;
    settled = [];
    for (const resolve of resolved) resolve();
  };

  const wake = (): void => {
    pumping ??= pump().finally(() => {
      pumping = null;
      // an event of the last moment may have ordered more
      if (waiting.length > 0) wake();
    });
  };

  const pump = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { order, epoch } = next;
      if (order.do === "retry") {
        clearTimeout(retryTimer);
        retryTimer = setTimeout(() => {
          happen({ kind: "retry-due", epoch });
        }, order.afterMs);
        continue;
      }
      const said = await carry(order);
      if (said !== null) happen({ ...said, epoch });
    }
  };

  const carry = async (order: Work): Promise<Said | null> => {
    try {
      return await deps.carry(order, interrupt.signal);
    } catch (error) {
      deps.log("order failed", { order: order.do, error: error instanceof Error ? error.stack : String(error) });
      if (order.do === "lock") return { kind: "lock-failed" };
      if (order.do === "stop-engine") return null;
      last = refusalOf(error);
      return order.do === "undo" ? { kind: "undo-failed" } : { kind: "refused", refusal: last };
    }
  };

  return {
    machine: () => machine,
    happen,
    async settled() {
      if (isSettled(machine)) return;
      await new Promise<void>((resolve) => settled.push(resolve));
    },
    async drained() {
      await pumping;
    },
    why: () => last,
    forgetWhy() {
      last = null;
    },
    async close() {
      interrupt.abort();
      waiting = [];
      // what is interrupted says so, and that may order more
      while (pumping !== null) await pumping;
      clearTimeout(retryTimer);
    },
  };
}

/** Between two of these nobody waits any more. */
function isSettled(m: Machine): boolean {
  if (m.kind === "off" || m.kind === "failed" || m.kind === "connected") return true;
  if (m.kind === "leaving") return m.failed;
  return m.kind === "locked" && m.stage === "waiting";
}
