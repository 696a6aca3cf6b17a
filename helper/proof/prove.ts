// Proof, or the packet that breaks the plan. Every state of the tunnel's life with its plan, with everything that may go
// wrong, and with every step between two plans; the clock is the caller's.
import type { Address } from "../contract/prefix.ts";
import type { Policy } from "../contract/policy.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import type { Plan, PlanState } from "../plan/plan.ts";
import { besideArrives, lanes, localNetwork, names, noLoop, tunnelGate } from "./arrivals.ts";
import type { By } from "./classes.ts";
import { routesTo } from "./bundles.ts";
import { concrete } from "./concrete.ts";
import { forwarded, identities, noEntry } from "./entries.ts";
import { leaks, promiseBroken, type Finding, type Looked, type Property } from "./leaks.ts";
import { memberOf } from "./member.ts";
import { namesByLane } from "./name-arrivals.ts";
import { needs } from "./needs.ts";
import type { Packet, PacketValue } from "./packet.ts";
import { statesOf, type State } from "./state.ts";
import { openEnds, steps, undone } from "./steps.ts";
import { walk, type End, type Step } from "./walk.ts";

export interface ProofInput {
  readonly policy: Policy;
  readonly facts: Facts;
  readonly exit: Exit;
  readonly plans: {
    readonly connecting: Plan;
    readonly connected: Plan;
    readonly locked: Plan;
    readonly off?: Plan;
  };
}

export interface Proof {
  readonly kind: "proof";
  readonly properties: number;
  readonly held: number;
  /** Classes of packets looked at, over all states and faults. */
  readonly classes: number;
  /** States times what may go wrong in them. */
  readonly states: number;
  /** Of which plans the gate holds with any routing whatever. */
  readonly alone: readonly PlanState[];
  /** What no proof here covers. */
  readonly limits: readonly Limit[];
}

export interface Counterexample {
  readonly kind: "counterexample";
  readonly property: Property;
  readonly state: PlanState;
  readonly fault: string;
  /** null where it is not one packet that breaks it (the order of steps, what taking down leaves). */
  readonly packet: PacketValue | null;
  readonly trace: readonly Step[];
  readonly end: End | null;
  readonly sentenceData: Readonly<Record<string, string>>;
}

/** Known ways past everything here, from design and kernel findings; shown to the user, not silently passed. */
export const limits = [
  /** G, 4.16, 4.48: AF_XDP sockets and tc redirects pass every nft hook */
  "af-xdp",
  "tc-redirect",
  /** 4.10: without the egress chain raw frames meet no hook (P8, egress flushed) */
  "raw-frames-without-egress",
  /** 2.11, 3.14: with CAP_NET_ADMIN a program can give its packets the mark of answers, which lock 3 then believes */
  "forged-answer-mark",
  /** 13.3: an ICMP redirect moves one destination to another host of the link */
  "icmp-redirect",
  /** NAT and marks of nft tables that are not ours are not read */
  "foreign-nft",
  /** H: what a program in the direct lane does through kernel sockets is unmarked, so stricter, never looser */
  "kernel-sockets",
  /** 4.30: on kernels without the empty device prefix a new device is open to raw frames until the watch adds it */
  "raw-frames-on-new-devices",
  /** forms besides the own table: what main's other routes decide is dropped and does not arrive (outranked.ts) */
  "routes-in-main",
] as const;
export type Limit = (typeof limits)[number];

const allProperties = 11;

/** `by` chooses the twin of explore.ts, for tests. */
export function prove(input: ProofInput, by?: By): Proof | Counterexample {
  const { connecting, connected, locked, off } = input.plans;
  let classes = 0;
  let cases = 0;
  const alone = new Set<Plan>();
  const plans = [connecting, connected, locked];
  for (const [i, state] of statesOf(input, plans, null, by).entries()) {
    const held = holds(state);
    if (held.kind === "counterexample") return held;
    if (held.alone) alone.add(plans[i] as Plan);
    classes += held.classes;
    cases += held.cases;
  }
  const moved = steps(input, alone);
  classes += moved.classes;
  cases += moved.steps;
  const step = moved.findings[0];
  if (step) return plainest(step.state, [step.finding]) ?? without(step.state, step.finding);
  const left = off === undefined ? null : undone(input, connected, off);
  if (left) return broken("P11", "off", left);
  return {
    kind: "proof",
    properties: allProperties,
    held: allProperties,
    classes,
    states: cases + 1,
    alone: [...alone].map((plan) => plan.state),
    limits: limits.filter((limit) => {
      if (limit === "raw-frames-on-new-devices") return !input.facts.features.devicePrefix;
      return limit !== "routes-in-main" || input.policy.form !== "table";
    }),
  };
}

/** One plan, with everything that may go wrong while it is in force; the steps to it and from it are `prove`'s. */
export function proveState(input: Omit<ProofInput, "plans">, plan: Plan, by?: By): Counterexample | Held {
  return holds(statesOf(input, [plan], null, by)[0] as State);
}

/**
 * The gate that stands while nothing else does (the kill switch from boot on): both locks over main's own routes. There is no
 * far end, so nothing is the engine's and nothing inside; what leaves is what policy sends direct, the local network, and
 * what links need.
 */
export function proveRest(input: Pick<ProofInput, "policy" | "facts">, plan: Plan, by?: By): Counterexample | Held {
  if (plan.nft.length === 0) return { kind: "held", alone: false, classes: 0, cases: 0 };
  return holds(statesOf({ ...input, exit: nobody }, [plan], null, by)[0] as State);
}

/** 0.0.0.0 is no destination (RFC 1122, 3.2.1.3), and nothing is inside. */
export const nobody: Exit = {
  endpoint: { address: "0.0.0.0" as string as Address, port: 0 },
  ...{ inside: [], dns: [], allowedIps: [], mtu: null },
};

interface Held {
  readonly kind: "held";
  /** Whether its gate holds with any routing. */
  readonly alone: boolean;
  readonly classes: number;
  readonly cases: number;
}

function holds(state: State): Counterexample | Held {
  const [ajar] = openEnds(state.plan);
  if (ajar !== undefined) return broken("P9", state.name, { chain: ajar });
  const leaked = leaks(state);
  let classes = leaked.classes;
  const leak = plainest(state, leaked.findings);
  if (leak) return leak;
  for (const check of checksOf(state)) {
    const looked = check(state);
    classes += looked.classes;
    const worst = plainest(state, looked.findings);
    if (worst) return worst;
  }
  return { kind: "held", alone: leaked.alone, classes, cases: 1 + state.faults.length };
}

function checksOf(state: State): ((state: State) => Looked)[] {
  const always = [needs, noLoop, localNetwork, noEntry, forwarded, namesByLane];
  // at rest main decides by whom the local network is reached, a gateway too (P4)
  if (state.name === "off") return [needs, noEntry, forwarded, besideArrives];
  return state.name === "connected" ? [...always, names, lanes, tunnelGate, identities] : [...always, besideArrives];
}

function broken(property: Property, state: PlanState, sentenceData: Counterexample["sentenceData"]): Counterexample {
  return { ...nothing, kind: "counterexample", property, state, fault: "none", sentenceData };
}

const nothing = { packet: null, trace: [], end: null } as const;

/** The plainest of the packets found, with its way through the machine; undefined where nothing was found. */
function plainest(state: State, findings: readonly Finding[]): Counterexample | undefined {
  let best: { value: PacketValue; finding: Finding; property: Property; rank: number } | undefined;
  for (const finding of findings) {
    const value = finding.cube === null ? undefined : memberOf(state.classes, finding.cube);
    if (value === undefined) continue;
    const property = finding.property ?? promiseBroken(state, finding, packetOf(state, value));
    // what breaks with nothing gone wrong comes first, then the plainer promise, then the plainer packet
    const rank = oddity(value) + (finding.fault === "none" ? 0 : 1000) + 100 * (property === "P1" ? 0 : 1);
    if (best === undefined || rank < best.rank) best = { value, finding, property, rank };
  }
  // a class whose member cannot be named breaks the proof all the same
  if (best === undefined) return findings[0] === undefined ? undefined : without(state, findings[0]);
  const { finding, value, property } = best;
  const { end, steps: trace } = walk(finding.machine, packetOf(state, value), finding.routing);
  return {
    kind: "counterexample",
    property,
    state: state.name,
    fault: finding.fault,
    packet: value,
    trace,
    end,
    sentenceData: finding.data,
  };
}

/** The packet, with the routes that it or any source chosen for it can meet. */
function packetOf({ machine, bundles }: State, value: PacketValue): Packet {
  const sources = value.source === null ? [] : [value.source];
  return concrete(
    value,
    routesTo(bundles, [value.destination, ...sources, ...machine.addresses.map((a) => a.address)]),
  );
}

function without(state: State, finding: Finding): Counterexample {
  return {
    ...nothing,
    kind: "counterexample",
    property: finding.property ?? "P1",
    state: state.name,
    fault: finding.fault,
    sentenceData: finding.data,
  };
}

/** How far a packet is from what a browser sends: a small number is easy to understand. */
function oddity(value: PacketValue): number {
  const { origin } = value;
  const born = origin.kind === "socket" ? (origin.device === null ? 0 : 4) + (origin.source === "set" ? 2 : 0) : 8;
  const odd = [
    value.carries !== "ip",
    value.mark !== 0,
    ![6, 17].includes(value.protocol),
    value.ct !== 1,
    value.hops !== 64,
    value.sport !== 40000,
    value.family === 6,
  ];
  return born + odd.filter(Boolean).length + 10 * value.flags.length;
}
