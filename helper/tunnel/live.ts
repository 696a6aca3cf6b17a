// What the tunnel works with: the ports that every effect goes through, what is known and open while the helper lives, and
// what an order is given and answers. Decides nothing.
import type { Policy } from "../contract/policy.ts";
import type { Answer, Refusal } from "../contract/refusal.ts";
import type { ProofSummary, StepName, Uplink } from "../contract/status.ts";
import type { CounterexampleTold } from "../contract/verdict.ts";
import type { Kernel } from "../kernel/kernel.ts";
import type { WireWatch } from "../kernel/wire.ts";
import type { Configuration } from "../nodes/conf.ts";
import type { Lists } from "../nodes/lists.ts";
import type { Store } from "../nodes/store.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts, NameFact } from "../plan/facts.ts";
import type { Plan, PlanNexthop, PlanState } from "../plan/plan.ts";
import type { Engine, EngineKind } from "./engine.ts";
import type { Names } from "./names.ts";
import type { Resolve } from "./resolve.ts";
import type { Id, Result } from "./states.ts";
import type { StepTimes } from "./status.ts";
import type { WantedFile } from "./wanted.ts";

export interface Deps {
  readonly kernel: Kernel;
  readonly wire: WireWatch;
  readonly store: Store;
  readonly wanted: WantedFile;
  /** The node of the last connection, also after it ended and after a reboot. */
  readonly last: Pick<WantedFile, "read" | "write">;
  readonly resolve: Resolve;
  readonly names: Names;
  readonly lists: Pick<Lists, "of" | "missing">;
  readonly findEngine: () => Answer<EngineKind>;
  readonly startEngine: (
    kind: EngineKind,
    listenPort: number,
    said: (e: "silent" | "heard") => void,
  ) => Promise<Engine>;
  readonly compile: (input: Omit<CompileInput, "exit"> & { readonly exit: Exit | null }) => Answer<Plan>;
  /** What the plan for "connected" would lead large sets by. */
  readonly nexthops: (input: Omit<CompileInput, "state">) => readonly PlanNexthop[];
  readonly uplinks: (facts: Facts) => readonly Uplink[];
  /** Proven plans are applied, others are not; the answer of a refusal is plan.leaks with the packet. */
  readonly prove: (input: ProveInput) => Proved;
  /** The gate that stands while nothing else does. */
  readonly proveRest: (input: RestInput) => Proved;
  /** Whether this process may change routes and tables. */
  readonly hasRights: () => boolean;
  readonly answerMs: number;
  readonly log: (what: string, data: Readonly<Record<string, unknown>>) => void;
}

/**
 * An answer; where a packet breaks the plan, also that packet. alone: the gate of the connected plan holds with any routing, so
 * routes may move behind it before the rest is proven again.
 */
export type Proved =
  | { readonly ok: true; readonly value: ProofSummary | null; readonly alone?: boolean }
  | { readonly ok: false; readonly refusal: Refusal; readonly found?: CounterexampleTold };

export interface CompileInput {
  readonly policy: Policy;
  readonly facts: Facts;
  readonly exit: Exit;
  readonly state: PlanState;
}

export interface RestInput {
  readonly policy: Policy;
  readonly facts: Facts;
  readonly plan: Plan;
}

export interface ProveInput {
  readonly policy: Policy;
  readonly facts: Facts;
  readonly exit: Exit;
  readonly plans: { readonly connecting: Plan; readonly connected: Plan; readonly locked: Plan };
}

/** What is known and open while the helper lives; run.ts holds it. */
export interface Live {
  facts: Facts | null;
  uplinks: readonly Uplink[];
  engine: Engine | null;
  prepared: Prepared | null;
  /** What stands in the kernel. */
  applied: Applying | null;
  /** By node, also of those whose name cannot be asked for behind the closed gate. */
  readonly exits: Map<Id, Exit>;
  proof: ProofSummary | null;
  undone: readonly string[];
  /** The person took everything down, the gate "from boot on" too: until the next wish. */
  released: boolean;
  /** That gate stands, and nothing else. */
  held: boolean;
}

export interface Applying {
  readonly node: Id;
  readonly exit: Exit;
  readonly plan: Plan;
  /** Its gate was proven to hold with any routing. */
  readonly alone: boolean;
  /** Addresses of names as the plan has them. */
  readonly names: readonly NameFact[];
}

export interface Prepared {
  readonly node: Id;
  readonly facts: Facts;
  readonly configuration: Configuration;
  readonly exit: Exit;
  /** What closes: connecting, or the lock that stands already. */
  readonly closing: Plan;
  readonly connected: Plan;
  readonly proof: ProofSummary | null;
  /** Of the connected plan, as Applying's. */
  readonly alone: boolean;
}

/** What can be refused before anything is touched; with the packet where a proof failed. */
export type Planned =
  | { readonly ok: true; readonly value: Prepared }
  | { readonly ok: false; readonly refusal: Refusal; readonly found?: CounterexampleTold };

export interface Outcome {
  readonly signal: AbortSignal;
  readonly switching: boolean;
  readonly step: (name: StepName, step: StepTimes[StepName]) => void;
  readonly engineEnded: (engine: Engine, how: string) => void;
  readonly said: (event: "silent" | "heard") => void;
}

export type Said = Result extends infer R ? (R extends Result ? Omit<R, "epoch"> : never) : never;
