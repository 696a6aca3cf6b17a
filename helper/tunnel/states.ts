// The states a tunnel can be in, what can happen to it, and what it can order: the words of machine.ts.
import type { Refusal } from "../contract/refusal.ts";
import type { LockCause } from "../contract/status.ts";

/** A node by its id. */
export type Id = string;
export type Stage = "prepare" | "close" | "engine" | "await" | "open";

/** Answers to orders carry the epoch of their orders; what an older epoch asked for is not listened to. */
export type Machine = { readonly epoch: number } & (
  | { readonly kind: "off" }
  | { readonly kind: "failed"; readonly node: Id | null; readonly refusal: Refusal }
  /** closed: something of the machine was changed. back: the lock it came from, and falls back to. */
  | {
      readonly kind: "connecting";
      readonly node: Id;
      readonly stage: Stage;
      readonly closed: boolean;
      readonly stale: boolean;
      readonly back: { readonly node: Id; readonly cause: LockCause } | null;
    }
  | {
      readonly kind: "connected";
      readonly node: Id;
      readonly since: number;
      readonly attempts: number;
      readonly mended: readonly number[];
    }
  /** returning: the node switched to did not come up, and `node` is the one from before. */
  | {
      readonly kind: "switching";
      readonly from: Id;
      readonly node: Id;
      readonly stage: Stage;
      readonly closed: boolean;
      readonly stale: boolean;
      readonly returning: boolean;
      readonly since: number;
    }
  | {
      readonly kind: "locked";
      readonly node: Id;
      readonly cause: LockCause;
      readonly attempts: number;
      readonly stage: Stage | "waiting";
      readonly stale: boolean;
      readonly mended: readonly number[];
      /** In a fight: what is ours was touched again and is laid again soon. */
      readonly hurried: boolean;
    }
  /** failed: the undoing did not succeed and is tried again; until then everything stays closed. */
  | { readonly kind: "leaving"; readonly node: Id; readonly then: Then; readonly failed: boolean }
);

export type Then =
  | { readonly kind: "off" }
  | { readonly kind: "failed"; readonly refusal: Refusal }
  | { readonly kind: "connect"; readonly node: Id };

export type Event =
  | { readonly kind: "connect"; readonly node: Id }
  | { readonly kind: "disconnect" }
  /** The helper starts and finds that an earlier life had this node up (or the boot gate asks for it). */
  | { readonly kind: "restarted"; readonly node: Id }
  | { readonly kind: "engine-died" | "adapter-gone" | "node-silent" | "node-heard" }
  /** Something of the machine changed by another's hand. uplinks: the ways out are others. ours: what is ours was touched. */
  | { readonly kind: "changed"; readonly uplinks: boolean; readonly ours: boolean }
  | { readonly kind: "policy-changed" }
  /** Names that rules name were answered with other addresses. */
  | { readonly kind: "names-changed" }
  | Result;

/** Answers to orders. */
export type Result = { readonly epoch: number } & (
  | { readonly kind: "prepared" | "closed" | "engine-up" | "answered" | "opened" | "undone" | "retry-due" }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** What was ours was found changed and laid again, or not. */
  | { readonly kind: "replanned" | "locked"; readonly mended: boolean }
  | { readonly kind: "undo-failed" | "lock-failed" }
);

export type Order =
  | { readonly do: Stage | "lock"; readonly node: Id }
  /** rest: what holds while nothing is connected, the gate "from boot on" or nothing. */
  | { readonly do: "replan" | "stop-engine" | "undo" | "rest" }
  | { readonly do: "retry"; readonly afterMs: number };

export interface Env {
  readonly at: number;
  /** 0 to 1 */
  readonly jitter: number;
  /** The kill switch holds also before anything connected: a failed attempt stays locked. */
  readonly boot: boolean;
}

export interface Move {
  readonly state: Machine;
  readonly orders: readonly Order[];
}
