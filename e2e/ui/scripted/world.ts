// A helper that plays a script: the contract's answers and events from a value, with no kernel behind it. The window's
// tests drive it through a real socket (helper.ts), screenshots through a bridge in the page (fake-bridge.ts); both get
// the same behaviour from here. Browser and Node code: no Node imports.
import type { HelperEvent, Params, RequestName, Result } from "../../../helper/contract/message.ts";
import type { Node } from "../../../helper/contract/node.ts";
import { defaultPolicy, type Policy } from "../../../helper/contract/policy.ts";
import { grant, refuse, type Answer } from "../../../helper/contract/refusal.ts";
import type { LockCause, State, Status, Step, Traffic } from "../../../helper/contract/status.ts";
import { checksOf } from "./checks.ts";
import { checkOf, planOf } from "./judge.ts";
import { address, nodeFromConf, stepOrder, uplink, type Scenario } from "./scenarios.ts";

export interface World {
  answer<N extends RequestName>(name: N, params: Params<N>): Promise<Answer<Result<N>>>;
  onEvent(listener: (event: HelperEvent) => void): () => void;
  /** What a test does to the world from outside. */
  lock(cause: LockCause, by?: string): void;
  drift(what: string, author: string | null, mended: boolean): void;
  /** A foreign change that breaks the proof and opens nothing. */
  offer(what: string, author: string | null): void;
  /** The time to confirm a tried policy is over. */
  rollBack(): void;
  /** How often each request came, for tests that count. */
  readonly asked: Readonly<Record<string, number>>;
  status(): Status;
  policy(): Policy;
  close(): void;
}

export function createWorld(scenario: Scenario, now: () => number = Date.now): World {
  const listeners = new Set<(event: HelperEvent) => void>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const asked: Record<string, number> = {};
  let nodes: readonly Node[] = scenario.nodes;
  let policy: Policy = scenario.policy ?? defaultPolicy;
  let seq = 1;
  let seconds = 0;
  let tried: { readonly before: Policy; readonly until: number } | null = null;
  let status: Status = first();
  let attempt = 0;

  function first(): Status {
    const { state } = scenario;
    const up = state.kind === "connected";
    return {
      seq,
      helper: { version: "0.1.0", at: now() },
      state,
      since: now() - scenario.sinceMs,
      host: "atlas",
      uplinks: scenario.uplinks ?? [uplink],
      direct: directOf(state),
      ipv6: state.kind === "off" || state.kind === "failed" ? "open" : up ? scenario.ipv6 : "blocked",
      inside: up ? ["192.0.2.194/32", "2001:db8:a::194/128"] : [],
      seenAs: up
        ? { ipv4: address("203.0.113.9"), ipv6: scenario.ipv6 === "carried" ? address("2001:db8:41::9") : null }
        : { ipv4: null, ipv6: null },
      dns: { servers: [address("192.0.2.193")], by: up ? "resolved" : "none" },
      proof: state.kind === "off" || state.kind === "failed" ? null : proofOf(),
      drift: [],
      ...(tried === null ? {} : { confirm: { until: tried.until } }),
      notices: [...(scenario.notices ?? [])],
    };
  }

  function directOf(state: State): Status["direct"] {
    if (state.kind === "off" || state.kind === "failed") return [];
    const lan = policy.lan.allow ? [{ kind: "lan" as const, text: "198.51.100.0/26" }] : [];
    return [
      ...lan,
      ...policy.rules.filter((r) => r.lane === "direct").map((r) => ({ kind: "rule" as const, text: r.name })),
    ];
  }

  function proofOf(): Status["proof"] {
    if (scenario.proofAgeMs === null) return null;
    return { at: now() - scenario.proofAgeMs, tookMs: 41, properties: 11, held: 11, classes: 214, states: 7 };
  }

  function tell(event: HelperEvent): void {
    for (const listener of listeners) listener(event);
  }

  function become(state: State, change: Partial<Status> = {}): void {
    const same = state.kind === status.state.kind;
    seq++;
    const since = same ? status.since : now();
    if (!same) seconds = 0;
    status = { ...first(), state, since, drift: status.drift, direct: directOf(state), seq, ...change };
    // what is offered is what breaks the proof
    const offered = status.drift.some((one) => one.finding !== undefined);
    status = {
      ...status,
      ipv6: upState(state) ? scenario.ipv6 : status.ipv6,
      proof: offered ? null : upState(state) ? proofOf() : status.proof,
    };
    tell({ event: "status", data: status });
  }

  function rollBack(): void {
    if (tried === null) return;
    policy = tried.before;
    tried = null;
    become(status.state);
  }

  function later(afterMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, afterMs);
    timers.add(timer);
  }

  const ref = (node: Node) => ({
    id: node.id,
    name: node.name,
    endpoint: `${node.endpoint.host}:${node.endpoint.port}`,
  });

  function connect(id: string): Promise<Answer<Status>> {
    const node = nodes.find((one) => one.id === id);
    if (node === undefined) return Promise.resolve(refuse("node.unknown", { node: id }));
    const from = status.state.kind === "connected" ? status.state.node : null;
    const mine = ++attempt;
    return new Promise((resolve) => {
      const stepTo = (index: number): void => {
        if (mine !== attempt) {
          resolve(refuse("call.not-now"));
          return;
        }
        if (scenario.connectFails !== undefined && index === 1) {
          become({ kind: "failed", node: ref(node), refusal: scenario.connectFails });
          resolve({ ok: false, refusal: scenario.connectFails });
          return;
        }
        if (index === stepOrder.length) {
          nodes = nodes.map((one) => (one.id === id ? { ...one, lastUsed: now() } : one));
          become({ kind: "connected", node: ref(node) });
          tell({ event: "nodes", data: [...nodes] });
          resolve(grant(status));
          return;
        }
        const steps = stepsAt(index);
        become(
          from === null
            ? { kind: "connecting", node: ref(node), steps }
            : { kind: "switching", from, to: ref(node), steps },
        );
        if (scenario.stopAtStep !== index)
          later(scenario.stepMs, () => {
            stepTo(index + 1);
          });
      };
      stepTo(0);
    });
  }

  const second = setInterval(() => {
    if (status.state.kind !== "connected" && status.state.kind !== "locked") return;
    seconds++;
    tell({ event: "traffic", data: sample(seconds) });
  }, 1000);
  function sample(n: number): Traffic {
    const wave = 2_300_000 + 400_000 * Math.sin(n / 4) + 150_000 * Math.sin(n * 1.7);
    const up = status.state.kind === "connected";
    const seen = scenario.seenFrames + n * 310 + Math.round(60 * Math.sin(n));
    return {
      at: now(),
      rxBytes: n * 2_300_000,
      txBytes: n * 260_000,
      rxPerSecond: up ? wave : 0,
      txPerSecond: up ? 262_000 + 40_000 * Math.sin(n / 3) : 0,
      lastHandshake: now() - 40_000,
      roundTripMs: 18.2,
      refused: up ? 41 : 612 + n,
      direct: 1204,
      wire: scenario.watched
        ? { seen, beside: scenario.beside, ...(scenario.missed === undefined ? {} : { missed: scenario.missed }) }
        : null,
    };
  }

  const answers: {
    readonly [N in RequestName]: (params: Params<N>) => Answer<Result<N>> | Promise<Answer<Result<N>>>;
  } = {
    hello: () => grant({ version: 1, helper: "0.1.0" }),
    status: () => grant(status),
    subscribe: () => grant(status),
    lists: () => grant([]),
    listBegin: () => refuse("call.busy"),
    listAdd: () => refuse("call.not-now"),
    listEnd: () => refuse("call.not-now"),
    apps: () => grant({ mechanism: "bpf", limits: [], apps: [] }),
    reopen: () => grant({ closed: 0 }),
    nodes: () => grant([...nodes]),
    connect: ({ node, anyway }) => {
      const { caller } = scenario;
      const welcome = policy.welcome.some((w) => w.port === caller?.port && w.from[0] === `${caller.from}/32`);
      if (caller === undefined || welcome || anyway === true) return connect(node);
      return Promise.resolve(refuse("policy.cuts-session", { ...caller, protocol: "tcp", node }));
    },
    disconnect: () => {
      attempt++;
      become({ kind: "off" });
      return grant(status);
    },
    import: ({ name, text }) => {
      const answer = nodeFromConf(name, text);
      if (!answer.ok) return answer;
      const known = nodes.find((node) => node.id === answer.value.id);
      if (known !== undefined) return refuse("node.exists", { node: known.id, name: known.name });
      nodes = [...nodes, answer.value];
      tell({ event: "nodes", data: [...nodes] });
      return answer;
    },
    remove: ({ node }) => {
      const { state } = status;
      if (state.kind === "connected" && state.node.id === node) return refuse("node.in-use", { node });
      nodes = nodes.filter((one) => one.id !== node);
      tell({ event: "nodes", data: [...nodes] });
      return grant({});
    },
    rename: ({ node, name }) => change(node, { name }),
    favourite: ({ node, favourite }) => change(node, { favourite }),
    policy: () => grant(policy),
    setPolicy: (params) => {
      const plan = planOf(params.policy, scenario);
      if (!plan.ok) return plan;
      const before = policy;
      policy = params.policy;
      tried = params.confirmWithin === undefined ? null : { before, until: now() + params.confirmWithin * 1000 };
      const mine = tried;
      if (mine !== null)
        later(mine.until - now(), () => {
          if (tried === mine) rollBack();
        });
      become(status.state);
      return grant(status);
    },
    plan: (params) => planOf(params.policy ?? policy, scenario),
    confirm: () => {
      if (tried === null) return refuse("call.not-now");
      tried = null;
      become(status.state);
      return grant(status);
    },
    check: (params) => checkOf(params.policy, policy, scenario, proofOf()),
    prove: () =>
      grant({ about: upState(status.state) ? "stands" : "would", proof: proofOf(), counterexample: null, limits: [] }),
    explain: () => refuse("call.not-now"),
    findings: () => grant([]),
    repair: ({ id }) => {
      const offered = status.drift.find((one) => one.finding === id);
      if (offered === undefined) return refuse("finding.unknown", { id });
      const drift = status.drift.filter((one) => one !== offered);
      const { at, what, author } = offered;
      become(status.state, { drift: [...drift, { at, what, author, mended: true }] });
      return grant({ done: [`ip rule del ${what}`], left: [] });
    },
    leaks: () =>
      new Promise((resolve) => {
        later(scenario.stepMs, () => {
          resolve(grant(checksOf(upState(status.state), now(), scenario)));
        });
      }),
    reset: () => {
      attempt++;
      become({ kind: "off" });
      return grant({
        undone: ["ip rule del priority 4200", "ip route flush table 7600", "nft delete table inet culvert"],
      });
    },
  };

  function change(id: string, with_: Partial<Node>): Answer<Node> {
    const node = nodes.find((one) => one.id === id);
    if (node === undefined) return refuse("node.unknown", { node: id });
    const changed = { ...node, ...with_ };
    nodes = nodes.map((one) => (one.id === id ? changed : one));
    tell({ event: "nodes", data: [...nodes] });
    return grant(changed);
  }

  return {
    answer: async (name, params) => {
      asked[name] = (asked[name] ?? 0) + 1;
      return answers[name](params);
    },
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    lock: (cause, by) => {
      const { state } = status;
      if (state.kind !== "connected" && state.kind !== "locked") return;
      const named = by === undefined ? {} : { by };
      become({ kind: "locked", node: state.node, cause, attempts: 6, lastHeard: now() - 14_000, ...named });
    },
    drift: (what, author, mended) => {
      become(status.state, { drift: [...status.drift, { at: now(), what, author, mended }] });
    },
    offer: (what, author) => {
      const finding = `rule-${String(status.drift.length)}`;
      become(status.state, { drift: [...status.drift, { at: now(), what, author, mended: false, finding }] });
    },
    rollBack,
    asked,
    status: () => status,
    policy: () => policy,
    close: () => {
      clearInterval(second);
      for (const timer of timers) clearTimeout(timer);
      listeners.clear();
    },
  };
}

const upState = (state: State): boolean => state.kind === "connected";

function stepsAt(index: number): Step[] {
  const took = [2.6, 38.4, 21, 9.2, 0.4];
  return stepOrder.map((name, i) => ({
    name,
    state: i < index ? "done" : i === index ? "running" : "waiting",
    tookMs: i < index ? (took[i] ?? null) : null,
  }));
}
