// Why a packet goes where it goes: the walk of one packet, line by line in the words of `ip` and `nft`, with the user's own
// rule that decides. The same words tell a counterexample. Values and codes only; sentences are made by app/words.
import type { Address } from "../contract/prefix.ts";
import type { App, Policy } from "../contract/policy.ts";
import type { Explanation, TraceEnd, TraceStep } from "../contract/trace.ts";
import type { CounterexampleTold, Note } from "../contract/verdict.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts, RouteFact, RuleFact } from "../plan/facts.ts";
import type { NftRule, NftTable } from "../plan/nft.ts";
import { linkName, tableName } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import { printOperation, protocolOf } from "../plan/print.ts";
import { printNftRule } from "../plan/print-nft.ts";
import { concrete } from "./concrete.ts";
import type { Decision } from "./fib.ts";
import { machineOf, ownRoute, ownRule, routesOf } from "./machine.ts";
import { ctStates, type Origin, type Packet, type PacketValue } from "./packet.ts";
import type { Counterexample } from "./prove.ts";
import { walk, type End, type Step } from "./walk.ts";
import { wantedOf } from "./wanted.ts";

export interface Question {
  readonly destination: Address;
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly port: number | null;
  /** bound to, or of who sent it; null: chosen by the kernel */
  readonly source: Address | null;
  /** bound to */
  readonly device: string | null;
  /** comes in on it, to be forwarded */
  readonly incoming: string | null;
  readonly uid: number;
  readonly mark: number;
}

/** A gate as it was read, with the hits of its counted lines. */
export interface Gate {
  readonly tables: readonly NftTable[];
  readonly packets: ReadonlyMap<NftRule, number>;
}

export interface Ground {
  readonly policy: Policy;
  readonly facts: Facts;
  /** null: off, nothing is asked of the policy */
  readonly exit: Exit | null;
  readonly plan: Plan | null;
  /** null: the machine as the plan would make it. Else as it was read, with this gate. */
  readonly gate: Gate | null;
}

export interface Explained extends Pick<Explanation, "lane" | "rule" | "way" | "end" | "source" | "mtu"> {
  /** The last answer of the rules; null: the packet was dropped before they were asked. */
  readonly decision: Decision | null;
  /** An nft line changed the mark and the rules were asked again. */
  readonly rerouted: boolean;
  readonly findings: readonly Note[];
}

export function explain(ground: Ground, question: Question): Explained {
  const { facts, plan, gate } = ground;
  const machine = gate === null ? machineOf(facts, plan) : { ...machineOf(facts, null, true), nft: gate.tables };
  const packet = concrete(packetOf(question), gate === null ? routesOf(facts, plan) : routesOf(facts, null, true));
  const wish = wishOf(ground, packet);
  const { end, steps } = walk(machine, packet);
  const decisions = steps.flatMap((step) => (step.kind === "route" ? [step.decision] : []));
  const source = steps.flatMap((step) => (step.kind === "source" ? [step.address] : [])).at(-1) ?? question.source;
  const device = end.kind === "left" ? end.device : null;
  const { lane, rule, beside } = wish(packet, end);
  const foreign = decisions.flatMap((d) =>
    d.rule === null || isOrdinary(d.rule) || plan === null || ledToOurs(plan, d) ? [] : [d.rule],
  );
  return {
    ...{ lane, rule, end: endOf(end), source },
    way: steps.flatMap((step) => tell(step, gate?.packets)).map((told) => ({ ...told, text: told.text.slice(0, 600) })),
    mtu: [...facts.links, plan?.link].find((l) => l?.name === device)?.mtu ?? null,
    decision: decisions.at(-1) ?? null,
    rerouted: decisions.length > 1,
    findings: [
      ...(beside ? [{ code: "lane.broken", data: { lane, end: tellEnd(end) } }] : []),
      ...foreign.map((r) => ({ code: "rule.foreign", data: { rule: tellRule(r), by: protocolOf(r.protocol) } })),
    ],
  };
}

/** The mark that sockets of a program carry under a plan; 0: none. */
export function markOf(plan: Plan | null, app: App): number {
  const apps = plan?.apps ?? null;
  if (apps === null) return 0;
  const same = (listed: { readonly app: App }): boolean => JSON.stringify(listed.app) === JSON.stringify(app);
  const program = apps.programs.find(same)?.class ?? 0;
  const place = apps.places.find(same)?.class ?? 0;
  return apps.marks[program]?.[place] ?? 0;
}

/** fib_default_rules_init, fib6_rules_net_init */
const mainPriority = 0x7ffe;

/** In the forms that lie in main its own rule leads to our routes (T2). */
function ledToOurs({ routes }: Plan, { rule, route }: Decision): boolean {
  if (rule?.priority !== mainPriority || route === null) return false;
  return routes.some((r) => r.table === route.table && r.prefix === route.prefix && r.metric === route.metric);
}

/** Everything goes somewhere by our rules; before them only the machine's own addresses are asked for (table local). */
const isOrdinary = (rule: RuleFact): boolean => ownRule(rule) || rule.priority === 0;

/** What is wanted is asked before the walk, which leaves source and marks on the packet; whether it is so, after it. */
function wishOf({ policy, facts, exit, plan }: Ground, packet: Packet) {
  if (exit === null || plan === null) {
    return (_: Packet, end: End) => ({
      ...{ lane: end.kind === "delivered" ? ("self" as const) : ("open" as const), rule: null, beside: false },
    });
  }
  const wanted = wantedOf(policy, facts, exit, plan.apps);
  const lan = wanted.isLan(packet);
  const engine = wanted.isEngine(packet);
  const { lane, rule } = wanted.lane(packet);
  return (walked: Packet, end: End) => {
    if (end.kind === "delivered") return { lane: "self" as const, rule: null, beside: false };
    const by = end.kind === "left" ? end.device : null;
    const reason = by === null || by === linkName ? null : wanted.beside(walked, by);
    const place = rule === null ? 0 : policy.rules.indexOf(rule) + 1;
    if (engine) return { lane: "engine" as const, rule: null, beside: by === linkName };
    // neighbours, leases and answers stay on the link or the way they came by
    const local = lan || (reason !== null && reason !== "direct");
    if (local) return { lane: "lan" as const, rule: null, beside: by === linkName || (by !== null && reason === null) };
    return {
      lane,
      rule: rule === null ? null : { id: rule.id, name: rule.name, place },
      beside: by === linkName ? lane !== "tunnel" : by !== null && reason === null,
    };
  };
}

function endOf(end: End): TraceEnd {
  return end.kind === "left" ? { ...end, gateway: end.gateway ?? null } : end;
}

/** A packet that breaks a plan, in words, for whoever shows it. */
export function tellCounterexample(found: Counterexample): CounterexampleTold {
  const { property, state, fault, packet, trace, end, sentenceData } = found;
  const rest = Object.entries(sentenceData).map(([key, value]) => `${key} ${value}`);
  return {
    ...{ property, state, fault: fault.slice(0, 200) },
    packet: packet === null ? "" : tellPacket(packet).slice(0, longestLine),
    to: packet === null ? null : whereTo(packet),
    way: [...trace.flatMap((step) => tell(step)).map((told) => told.text), ...rest]
      .map((l) => l.slice(0, longestLine))
      .slice(0, 64),
    end: end === null ? null : tellEnd(end),
  };
}

/** The same as the data of a refusal: everything as text, at most 600 bytes each. */
export function refusalData({
  property,
  state,
  fault,
  packet,
  way,
  end,
}: CounterexampleTold): Readonly<Record<"property" | "state" | "fault" | "packet" | "way", string>> {
  const whole = [...way, ...(end === null ? [] : [end])].join("; ");
  return { property, state, fault, packet, way: whole.slice(-longestLine) };
}

/** What the contract lets through in one line. */
const longestLine = 600;

function whereTo(packet: PacketValue): CounterexampleTold["to"] {
  const { destination, protocol } = packet;
  if (packet.carries !== "ip") return null;
  const ported = protocol === 6 || protocol === 17;
  return { destination, protocol: protocolName(protocol), port: ported ? packet.dport : null };
}

function protocolName(protocol: number): string {
  const names: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };
  return names[protocol] ?? `protocol ${protocol}`;
}

export function tellEnd(end: End): string {
  switch (end.kind) {
    case "left":
      return end.gateway ? `left by ${end.device} via ${end.gateway}` : `left by ${end.device}`;
    case "dropped":
      return `dropped at ${end.at}`;
    case "refused":
      return `refused with ${end.errno}`;
    case "delivered":
      return "delivered here";
    default:
      return end satisfies never;
  }
}

export function tellPacket(packet: PacketValue): string {
  const ported = packet.protocol === 6 || packet.protocol === 17;
  const at = (address: Address | null, port: number): string => `${address ?? "*"}${ported ? ` port ${port}` : ""}`;
  const name = packet.carries === "ip" ? protocolName(packet.protocol) : packet.carries;
  const odd = [
    ...(packet.mark === 0 ? [] : [`mark 0x${packet.mark.toString(16)}`]),
    ...(packet.ct === ctStates.establishedReply || packet.ct === ctStates.relatedReply ? ["as an answer"] : []),
    ...packet.flags,
  ];
  const words = [
    name,
    at(packet.source, packet.sport),
    "to",
    at(packet.destination, packet.dport),
    tellOrigin(packet.origin),
  ];
  return [...words, ...odd].join(" ");
}

function tellOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "frame":
      return `as a raw frame on ${origin.device}`;
    case "arriving":
      return `coming in on ${origin.device}`;
    case "socket":
      return (
        (origin.kernel ? "from the kernel" : "from a program") +
        (origin.device === null ? "" : ` bound to ${origin.device}`)
      );
  }
}

function packetOf(question: Question): PacketValue {
  const six = question.destination.includes(":");
  const numbers = { tcp: 6, udp: 17, icmp: six ? 58 : 1 };
  const { incoming, device } = question;
  return {
    family: six ? 6 : 4,
    carries: "ip",
    origin:
      incoming === null
        ? { kind: "socket", device, source: question.source === null ? "unset" : "set", kernel: false }
        : { kind: "arriving", device: incoming },
    source: question.source,
    destination: question.destination,
    protocol: numbers[question.protocol],
    sport: askedPort,
    dport: question.port ?? 0,
    mark: question.mark,
    uid: question.uid,
    icmpType: six ? 128 : 8,
    hops: 64,
    ethertype: six ? 0x86dd : 0x0800,
    ct: ctStates.new,
    flags: [],
    choices: {},
  };
}

/** A port that the kernel might choose (ip_local_port_range). */
export const askedPort = 40_000;

function tell(step: Step, packets?: ReadonlyMap<NftRule, number>): TraceStep[] {
  if (step.kind === "source") {
    return step.address === null ? [] : [{ ...plain, kind: "source", text: `from ${step.address}` }];
  }
  if (step.kind === "hook") {
    const { hook, table, chain, rule, verdict } = step.step;
    const family = hook === "egress" ? "netdev" : "inet";
    const line = rule === null ? `policy ${verdict}` : printNftRule(rule, family);
    const counted = rule?.counter === true ? (packets?.get(rule) ?? null) : null;
    return [
      { kind: "line", text: `${family} ${table} ${chain}: ${line}`, ours: table === tableName, packets: counted },
    ];
  }
  const { rule, route } = step.decision;
  const onLink = step.decision.kind === "route" && step.decision.via === "on-link" ? step.decision.device : null;
  return [
    ...(rule === null ? [] : [{ ...plain, kind: "rule" as const, text: tellRule(rule), ours: ownRule(rule) }]),
    ...(route === null ? [] : [{ ...plain, kind: "route" as const, text: tellRoute(route), ours: ownRoute(route) }]),
    ...(onLink === null
      ? []
      : [{ ...plain, kind: "route" as const, text: `no route: taken for on-link by ${onLink}` }]),
  ];
}

const plain = { ours: false, packets: null };

function tellRule(rule: RuleFact): string {
  return printOperation({ kind: "rule.del", rule }).replace(" rule del", " rule");
}

export function tellRoute(route: RouteFact): string {
  const legs = route.legs.map((leg) => `${leg.via === null ? "" : `via ${leg.via} `}dev ${leg.dev}`);
  const words = [
    ...(route.type === "unicast" ? [] : [route.type]),
    route.prefix,
    ...(route.nexthop === null ? legs : [`nhid ${route.nexthop}`]),
    `table ${route.table} metric ${route.metric}`,
  ];
  return words.join(" ");
}
