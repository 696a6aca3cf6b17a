// The tunnel as the rest of the helper knows it: calls in, statuses and traffic out. Each call is an event for the queue and
// waits for the state it leads to. What the queue orders is carried out by orders.ts; what is found on the way, by proofs,
// announcements and the engine, comes back as the next event.
import type { Node } from "../contract/node.ts";
import type { Policy } from "../contract/policy.ts";
import type { Address } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { Status } from "../contract/status.ts";
import { proveAhead } from "./ahead.ts";
import { watchDrifts } from "./drifts.ts";
import { type Findings, type FindingsDeps, watchFindings } from "./findings.ts";
import { readFacts } from "./ground.ts";
import type { Live, Planned, Prepared, Said } from "./live.ts";
import { carryOut } from "./orders.ts";
import { plansFor } from "./prepare.ts";
import { openQueue, type Work } from "./queue.ts";
import { pendingPolicy, type RollbackFile } from "./rollback.ts";
import type { Id, Machine } from "./states.ts";
import { type Listener, tellOf } from "./telling.ts";
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
  /** Names were answered anew: lays the plan of now. Whether what stands then knows this name's addresses. */
  lay(name: string, addresses: readonly Address[]): Promise<boolean>;
  /** Names ended: the plan of now is laid when there is time. */
  namesEnded(): void;
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

export interface RunDeps extends FindingsDeps {
  readonly version: string;
  readonly rollback: RollbackFile;
  readonly random: () => number;
  /** Called each time a connection came up. */
  readonly connected: (tunnel: Tunnel) => void;
}

export function createTunnel(deps: RunDeps): Tunnel {
  const closers: (() => void)[] = [];
  const live: Live = {
    ...{ facts: null, uplinks: [], engine: null, prepared: null, applied: null, proof: null, undone: [] },
    ...{ exits: new Map(), released: false, held: false },
  };
  const machine = (): Machine => queue.machine();
  const drifts = watchDrifts(deps.now);
  const ahead = proveAhead(deps, live, machine);
  const findings = watchFindings(deps, live, {
    steady: () => machine().kind === "connected",
    changed: () => telling.publish(),
    repaired: (mended) => drifts.repaired(mended),
  });
  const pending = pendingPolicy(deps, (before) => {
    deps.log("policy not confirmed: the one of before returns", {});
    deps.store.setPolicy(before);
    queue.happen({ kind: "policy-changed" });
    telling.publish();
  });
  const telling = tellOf(deps, live, {
    ...{ machine, confirmUntil: () => pending.until() },
    drift: () => drifts.list(findings.offered()),
  });

  const entered = (before: Machine): void => {
    const now = machine();
    telling.entered(before);
    telling.publish();
    ahead.poke();
    if (now.kind === "connected" || before.kind === "connected") findings.poke();
    if (now.kind === "connected" && before.kind !== "connected") deps.connected(tunnel);
  };

  /** Who waits for the plan that comes next. */
  const afterOrder: (() => void)[] = [];

  const carry = async (order: Work, signal: AbortSignal): Promise<Said | null> => {
    const said = await carryOut(deps, live, order, {
      ...{ signal, switching: machine().kind === "switching" },
      step: (name, step) => telling.step(name, step),
      engineEnded: (engine, how) => {
        if (live.engine !== engine) return;
        live.engine = null;
        deps.log("engine ended", { how });
        queue.happen({ kind: "engine-died" });
      },
      said: (event) => queue.happen({ kind: event === "silent" ? "node-silent" : "node-heard" }),
    });
    if (said?.kind === "replanned" || said?.kind === "locked") {
      drifts.judged(said.mended);
      telling.publish();
    }
    for (const resolve of afterOrder.splice(0)) resolve();
    return said;
  };

  const queue = openQueue({
    ...{ now: deps.now, random: deps.random, log: deps.log, carry, entered },
    boot: () => deps.store.policy().killSwitch === "boot",
  });

  const why = (): Answer<never> => {
    const refusal = queue.why();
    return refusal === null ? refuse("call.not-now") : { ok: false, refusal };
  };

  const inUse = (): Id | null => {
    const now = machine();
    return now.kind === "off" || now.kind === "failed" ? null : now.node;
  };

  const adopt = (node: Id, address: Prepared["exit"]["endpoint"]["address"]): void => {
    const c = deps.store.configuration(node);
    if (c !== undefined) {
      const endpoint = { address, port: c.endpoint.port };
      live.exits.set(node, { endpoint, inside: c.addresses, dns: c.dns, allowedIps: c.allowedIps, mtu: c.mtu });
    }
    queue.happen({ kind: "restarted", node });
  };

  const watch = (): void => {
    const changed = watchMachine(deps, live, {
      touched: (change) => {
        drifts.touched(change);
        findings.ground(change);
      },
      happen: queue.happen,
      publish: () => {
        telling.publish();
        ahead.poke();
      },
    });
    closers.push(changed, watchTraffic(deps, live, machine, { traffic: telling.traffic, happen: queue.happen }));
  };

  const tunnel: Tunnel = {
    ...{ findings, inUse, status: telling.status, subscribe: telling.subscribe, seen: telling.seen },
    live: () => live,
    warm: () => ahead.poke(),
    async connect(node) {
      if (deps.store.node(node) === undefined) return refuse("node.unknown", { node });
      live.released = false;
      queue.forgetWhy();
      queue.happen({ kind: "connect", node });
      await queue.settled();
      const now = machine();
      return now.kind === "connected" && now.node === node ? grant(telling.status()) : why();
    },
    async disconnect() {
      queue.forgetWhy();
      queue.happen({ kind: "disconnect" });
      await queue.settled();
      const { kind } = machine();
      return kind === "off" || kind === "failed" ? grant(telling.status()) : why();
    },
    async reset() {
      live.released = true;
      const off = await tunnel.disconnect();
      if (!off.ok) return off;
      const undone = live.undone;
      live.undone = [];
      // also what no state of this life knows of
      const more = await deps.kernel.undo();
      live.held = false;
      telling.publish();
      return grant({ undone: [...undone, ...more] });
    },
    async setPolicy(policy, confirmWithin) {
      const missing = deps.lists.missing(policy);
      if (missing !== undefined) return refuse("policy.list-unknown", { list: missing });
      const node = inUse();
      if (node !== null) {
        const plans = await plansFor(deps, live, node, policy);
        if (!plans.ok) return plans;
      }
      if (confirmWithin === undefined) pending.keep();
      else pending.begin(deps.store.policy(), confirmWithin);
      deps.store.setPolicy(policy);
      live.released = false;
      queue.happen({ kind: "policy-changed" });
      await queue.drained();
      findings.poke();
      telling.publish();
      return grant(telling.status());
    },
    async confirm() {
      if (!pending.keep()) return refuse("call.not-now");
      telling.publish();
      return grant(telling.status());
    },
    async plansFor(node, policy) {
      const id = node ?? inUse() ?? lastUsed(deps.store.nodes());
      if (id === undefined) return refuse("node.unknown", { node: "" });
      return plansFor(deps, { ...live, exits: new Map(live.exits) }, id, policy ?? deps.store.policy());
    },
    async lay(name, addresses) {
      const has = (): boolean => {
        const known = live.applied?.names.find((fact) => fact.name === name);
        return machine().kind === "connected" && addresses.every((a) => known?.addresses.includes(a) === true);
      };
      if (has()) return true;
      // a switch takes a second, and who asks waits longer
      await queue.settled();
      if (machine().kind !== "connected") return false;
      queue.happen({ kind: "names-changed" });
      const idle = queue.drained().then(() => true);
      // others' names may follow without end: each plan that is laid may have these
      while (!has()) {
        const next = new Promise<false>((done) => afterOrder.push(() => done(false)));
        if (await Promise.race([idle, next])) break;
      }
      return has();
    },
    namesEnded() {
      if (machine().kind === "connected") queue.happen({ kind: "names-changed" });
    },
    async begin() {
      const before = pending.left();
      if (before !== undefined) deps.store.setPolicy(before);
      const boot = deps.store.policy().killSwitch === "boot";
      const wanted = deps.wanted.read() ?? (boot ? deps.last.read() : undefined);
      if (wanted === undefined && boot) {
        queue.happen({ kind: "policy-changed" });
        await queue.drained();
      } else if (wanted === undefined) {
        // a life that ended while taking down, or before it noted its node
        const undone = await deps.kernel.undo();
        if (undone.length > 0) deps.log("undone from an earlier life", { commands: undone });
      } else {
        telling.remember({ id: wanted.node, name: wanted.name, endpoint: wanted.endpoint });
        adopt(wanted.node, wanted.address);
      }
      await readFacts(deps, live);
      watch();
      telling.publish();
      ahead.poke();
    },
    async end() {
      ahead.close();
      findings.close();
      pending.close();
      for (const close of closers.splice(0)) close();
      await queue.close();
      const { engine } = live;
      live.engine = null;
      await engine?.stop();
      deps.wire.close();
    },
  };
  return tunnel;
}

function lastUsed(nodes: readonly Node[]): Id | undefined {
  return [...nodes].sort((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0))[0]?.id;
}
