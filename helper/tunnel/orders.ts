// Carries one order of the machine out and says how it went. Nothing is decided here but what the order says; every effect goes
// through a port (`Deps`). In the order of an attempt: prepare, close, engine, await, open; then what holds and clears away.
import type { Policy } from "../contract/policy.ts";
import { familyOf } from "../contract/prefix.ts";
import { type Answer, grant, refuse, type Refusal } from "../contract/refusal.ts";
import type { ProofSummary, StepName, Uplink } from "../contract/status.ts";
import type { CounterexampleTold } from "../contract/verdict.ts";
import { type Applied, type Kernel, KernelError } from "../kernel/kernel.ts";
import type { WireWatch } from "../kernel/wire.ts";
import type { Configuration } from "../nodes/conf.ts";
import type { Lists } from "../nodes/lists.ts";
import type { Store } from "../nodes/store.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts, NameFact } from "../plan/facts.ts";
import type { Plan, PlanState } from "../plan/plan.ts";
import type { Engine, EngineKind } from "./engine.ts";
import { mayLeave } from "./may-leave.ts";
import type { Names } from "./names.ts";
import { byFamily, type Resolve, resolveHost } from "./resolve.ts";
import type { Id, Order, Result } from "./states.ts";
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
  readonly uplinks: (facts: Facts) => readonly Uplink[];
  /** Proven plans are applied, others are not; the answer of a refusal is plan.leaks with the packet. */
  readonly prove: (input: ProveInput) => Proved;
  /** Whether this process may change routes and tables. */
  readonly hasRights: () => boolean;
  readonly answerMs: number;
  readonly log: (what: string, data: Readonly<Record<string, unknown>>) => void;
}

/** An answer; where a packet breaks the plan, also that packet. */
export type Proved =
  | { readonly ok: true; readonly value: ProofSummary | null }
  | { readonly ok: false; readonly refusal: Refusal; readonly found?: CounterexampleTold };

export interface CompileInput {
  readonly policy: Policy;
  readonly facts: Facts;
  readonly exit: Exit;
  readonly state: PlanState;
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

/** With the names of now; of what stands: `standing`. */
export async function readFacts(deps: Deps, live: Live): Promise<Facts> {
  const facts = { ...(await deps.kernel.read()), names: deps.names.known(), lists: deps.lists.of(deps.store.policy()) };
  live.facts = facts;
  live.uplinks = deps.uplinks(facts);
  return facts;
}

/** The machine as the plan that stands sees it: names that were answered since are no part of it yet. */
export function standing(facts: Facts, { names }: Applying): Facts {
  return { ...facts, names };
}

/** Everything that can be refused without touching the machine, in the order a person would want to hear it. */
export async function plansFor(deps: Deps, live: Live, node: Id, policy: Policy): Promise<Planned> {
  const configuration = deps.store.configuration(node);
  if (configuration === undefined) return refuse("node.unknown", { node });
  if (!deps.hasRights()) return refuse("machine.no-rights", {});
  const engine = deps.findEngine();
  if (!engine.ok) return engine;
  const missing = deps.lists.missing(policy);
  if (missing !== undefined) return refuse("policy.list-unknown", { list: missing });
  const [read, resolved] = await Promise.all([readFacts(deps, live), addressesOf(deps, live, node, configuration)]);
  const facts = { ...read, lists: deps.lists.of(policy) };
  const blocked = machineRefusal(facts);
  if (blocked !== null) return blocked;
  const names = await deps.names.ready(policy);
  if (!names.ok) return names;
  // a name that nobody could be asked for is no wrong name
  if (!resolved.ok) return live.uplinks.length === 0 ? refuse("machine.no-uplink") : resolved;
  const families = live.uplinks.flatMap((u) => [...u.addresses, ...u.gateways]).map((a) => familyOf(a));
  let last: Planned = refuse("machine.no-route", { node });
  for (const address of byFamily(resolved.value, families)) {
    last = compileFor(deps, live, facts, policy, node, configuration, {
      endpoint: { address, port: configuration.endpoint.port },
      inside: configuration.addresses,
      dns: configuration.dns,
      allowedIps: configuration.allowedIps,
      mtu: configuration.mtu,
    });
    if (last.ok) return last;
  }
  return last;
}

async function prepare(deps: Deps, live: Live, node: Id, outcome: Outcome): Promise<Said> {
  const prepared = await plansFor(deps, live, node, deps.store.policy());
  if (outcome.signal.aborted) return { kind: "prepared" };
  if (!prepared.ok) return { kind: "refused", refusal: prepared.refusal };
  live.prepared = prepared.value;
  live.exits.set(node, prepared.value.exit);
  return { kind: "prepared" };
}

async function addressesOf(deps: Deps, live: Live, node: Id, c: Configuration): ReturnType<typeof resolveHost> {
  const remembered = live.exits.get(node);
  // behind a closed gate no name can be asked for
  const closed = live.applied !== null || isClosedAtRest(deps, live);
  if (closed && remembered !== undefined) return grant([remembered.endpoint.address]);
  return resolveHost(c.endpoint.host, deps.resolve);
}

function machineRefusal({ features, others }: Facts): ReturnType<typeof refuse> | null {
  if (!features.tun) return refuse("machine.no-tun", { what: "/dev/net/tun" });
  if (!features.nft) return refuse("machine.no-nft", { what: "nf_tables" });
  const other = others.find((o) => o.excludes);
  if (other === undefined) return null;
  return refuse("machine.other-vpn", { name: other.name, evidence: other.evidence, remedy: other.remedy ?? "" });
}

function compileFor(
  deps: Deps,
  live: Live,
  facts: Facts,
  policy: Policy,
  node: Id,
  configuration: Configuration,
  exit: Exit,
): Planned {
  const input = { policy, facts, exit };
  const connecting = deps.compile({ ...input, state: "connecting" });
  if (!connecting.ok) return connecting;
  const connected = deps.compile({ ...input, state: "connected" });
  if (!connected.ok) return connected;
  const locked = deps.compile({ ...input, state: "locked" });
  if (!locked.ok) return locked;
  // a lock that stands with its adapter holds as it is, and keeps the direct lane; else the gate closes for everything but
  // the new endpoint, also when another node is being left
  const holds = live.applied?.plan.state === "locked" && live.applied.node === node && locked.value.link !== null;
  const closing = holds ? locked.value : connecting.value;
  const plans = { connecting: connecting.value, connected: connected.value, locked: locked.value };
  const proof = deps.prove({ policy, facts, exit, plans });
  if (!proof.ok) return proof;
  live.proof = proof.value;
  const made = { node, facts, configuration, exit, closing, connected: connected.value, proof: proof.value };
  return grant(made);
}

async function close(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
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
  const applied = await apply(deps, live, { node, exit, plan: closing, names: namesOf(facts) });
  outcome.step("gate-closed", { state: "done", tookMs: applied.tookMs });
  return { kind: "closed" };
}

async function startOrReuse(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
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

async function awaitNode(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
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

async function open(deps: Deps, live: Live, outcome: Outcome): Promise<Said> {
  const { node, exit, connected, facts } = preparedOf(live);
  outcome.step("routes-laid", { state: "running", tookMs: null });
  const { phases } = await apply(deps, live, { node, exit, plan: connected, names: namesOf(facts) });
  outcome.step("routes-laid", { state: "done", tookMs: phases.changeMs });
  outcome.step("read-back", { state: "done", tookMs: phases.readBackMs });
  outcome.step("gate-opens", { state: "done", tookMs: phases.gateMs });
  return { kind: "opened" };
}

async function lock(deps: Deps, live: Live, node: Id): Promise<Said> {
  const exit = live.exits.get(node) ?? live.applied?.exit;
  if (exit === undefined) return { kind: "lock-failed" };
  const facts = await readFacts(deps, live);
  const input = { policy: deps.store.policy(), facts, exit };
  const plan = deps.compile({ ...input, state: "locked" });
  if (!plan.ok) {
    deps.log("lock not compiled", { refusal: plan.refusal.code });
    // what stands was closed already; without anything standing nothing is claimed
    return live.applied === null ? { kind: "lock-failed" } : { kind: "locked", mended: false };
  }
  // without a way out there is no connected plan; then the lock is all there is to prove
  const connected = deps.compile({ ...input, state: "connected" });
  const proof = proveWith(deps, input, connected.ok ? connected.value : plan.value, plan.value);
  if (!proof.ok && namesOf(facts).length > 0) {
    deps.log("lock not proven with what names were answered", proof.refusal);
    deps.names.takeBack(namesOf(facts), []);
    return lock(deps, live, node);
  }
  if (!proof.ok) {
    deps.log("lock not proven", proof.refusal);
    return { kind: "lock-failed" };
  }
  const again = live.applied !== null && samePlan(live.applied.plan, plan.value);
  // after a crash who asks waits for an answer that may come yet; without the stub he is refused as well
  const names = await deps.names.ready(deps.store.policy());
  if (!names.ok) deps.log("names not answered", names.refusal.data);
  const { commands } = await apply(deps, live, { node, exit, plan: plan.value, names: namesOf(facts) });
  return { kind: "locked", mended: again && commands.length > 0 };
}

/** The machine changed: the plan of now on the facts of now. An unchanged plan that needs commands was touched by others. */
async function replan(deps: Deps, live: Live): Promise<Said> {
  const { applied } = live;
  if (applied === null) return { kind: "replanned", mended: false };
  const names = await deps.names.ready(deps.store.policy());
  if (!names.ok) return { kind: "refused", refusal: names.refusal };
  const facts = await readFacts(deps, live);
  let planned = planOn(deps, live, applied, facts);
  if (!planned.ok && namesOf(facts) !== applied.names) {
    // what was answered since is not worth the tunnel
    deps.log("names not laid", planned.refusal);
    deps.names.takeBack(namesOf(facts), applied.names);
    planned = planOn(deps, live, applied, standing(facts, applied));
  }
  if (!planned.ok) return { kind: "refused", refusal: planned.refusal };
  const { plan, same, proof } = planned.value;
  if (!same) live.proof = proof;
  const { node, exit } = applied;
  const { commands } = await apply(deps, live, { node, exit, plan, names: planned.value.names });
  return { kind: "replanned", mended: same && commands.length > 0 };
}

interface Replanned {
  readonly plan: Plan;
  readonly same: boolean;
  readonly proof: ProofSummary | null;
  readonly names: readonly NameFact[];
}

function planOn(deps: Deps, live: Live, { exit, plan: before }: Applying, facts: Facts): Answer<Replanned> {
  const input = { policy: deps.store.policy(), facts, exit };
  const names = namesOf(facts);
  const plan = deps.compile({ ...input, state: "connected" });
  if (!plan.ok) return plan;
  if (samePlan(before, plan.value)) return grant({ plan: plan.value, same: true, proof: live.proof, names });
  const locked = deps.compile({ ...input, state: "locked" });
  if (!locked.ok) return locked;
  const proof = proveWith(deps, input, plan.value, locked.value);
  return proof.ok ? grant({ plan: plan.value, same: false, proof: proof.value, names }) : proof;
}

/** One plan alone, with the lock it falls back to. */
function proveWith(deps: Deps, input: Omit<CompileInput, "state">, plan: Plan, locked: Plan): Proved {
  const { policy, facts, exit } = input;
  return deps.prove({ policy, facts, exit, plans: { connecting: locked, connected: plan, locked } });
}

async function undo(deps: Deps, live: Live): Promise<Said> {
  // from here on more may leave, or everything
  deps.wire.close();
  live.undone = await rest(deps, live);
  live.applied = null;
  live.proof = null;
  live.prepared = null;
  deps.wanted.clear();
  await deps.names.rest();
  await readFacts(deps, live);
  return { kind: "undone" };
}

/** Nothing of ours; but for the gate where the kill switch holds from boot on. Gives the commands. */
async function rest(deps: Deps, live: Live): Promise<readonly string[]> {
  if (!isClosedAtRest(deps, live)) {
    const undone = await deps.kernel.undo();
    live.held = false;
    return undone;
  }
  const plan = deps.compile({
    policy: deps.store.policy(),
    facts: await readFacts(deps, live),
    exit: null,
    state: "off",
  });
  // what stands stays, and it is tried again
  if (!plan.ok) throw new Error(`the gate from boot on is refused: ${plan.refusal.code}`);
  const { commands } = await deps.kernel.apply(plan.value);
  live.held = true;
  return commands;
}

function isClosedAtRest(deps: Deps, live: Live): boolean {
  return deps.store.policy().killSwitch === "boot" && !live.released;
}

/** Shares of the deadline, growing: the last one is for nodes that are far away. */
const greetings = [0.2, 0.3, 0.5] as const;

export async function stopEngine(live: Live): Promise<void> {
  const { engine } = live;
  live.engine = null;
  await engine?.stop();
}

async function apply(deps: Deps, live: Live, applying: Applying): Promise<Applied> {
  const { plan, exit } = applying;
  const facts = standing(live.facts ?? (await readFacts(deps, live)), applying);
  const { links, allowed } = mayLeave(plan, exit, deps.store.policy(), facts);
  deps.wire.expect(links, allowed);
  const applied = await deps.kernel.apply(plan);
  live.applied = applying;
  live.held = false;
  deps.wire.settle();
  return applied;
}

function namesOf(facts: Facts): readonly NameFact[] {
  return facts.names ?? noAnswers;
}

const noAnswers: readonly NameFact[] = [];

function preparedOf(live: Live): Prepared {
  if (live.prepared === null) throw new Error("an attempt goes on without having been prepared");
  return live.prepared;
}

function samePlan(a: Plan, b: Plan): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
