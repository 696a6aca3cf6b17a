// Why a packet goes where it goes: the walk of one packet, line by line in the words of `ip` and `nft`, with the user's own
// rule that decides. The same words tell a counterexample. Values and codes only; sentences are made by app/words.
import type { Address } from "../contract/prefix.ts";
import type { Lane, Policy } from "../contract/policy.ts";
import { printOperation } from "../plan/print.ts";
import { printNftRule } from "../plan/print-nft.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts, RuleFact } from "../plan/facts.ts";
import type { Plan } from "../plan/plan.ts";
import { concrete } from "./concrete.ts";
import { machineOf, routesOf, type Route } from "./machine.ts";
import { ctStates, type Origin, type PacketValue } from "./packet.ts";
import type { Counterexample } from "./prove.ts";
import { walk, type End, type Step } from "./walk.ts";
import { wantedOf } from "./wanted.ts";

export interface Question {
  readonly destination: Address;
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly port: number | null;
  /** bound to; null: chosen by the kernel */
  readonly source: Address | null;
  readonly device: string | null;
  readonly uid: number;
  readonly mark: number;
}

export interface Explained {
  /** What the policy wants, and the rule of the user's that says so; null: the mode does. */
  readonly lane: Lane | "lan";
  readonly rule: { readonly id: string; readonly name: string } | null;
  readonly way: readonly Told[];
  readonly end: End;
  readonly source: Address | null;
  /** Of the device it leaves by. */
  readonly mtu: number | null;
}

export interface Told {
  readonly kind: "rule" | "route" | "source" | "line";
  readonly text: string;
}

export function explain(
  input: { policy: Policy; facts: Facts; exit: Exit; plan: Plan | null },
  question: Question,
): Explained {
  const { policy, facts, exit, plan } = input;
  const machine = machineOf(facts, plan);
  const packet = concrete(packetOf(question), routesOf(facts, plan));
  const wanted = wantedOf(policy, facts, exit);
  const lan = wanted.isLan(packet);
  const { lane, rule } = wanted.lane(packet);
  const { end, steps } = walk(machine, packet);
  const source = steps.find((step) => step.kind === "source");
  const device = end.kind === "left" ? end.device : null;
  return {
    lane: lan ? "lan" : lane,
    rule: lan || rule === null ? null : { id: rule.id, name: rule.name },
    way: steps.flatMap(tell),
    end,
    source: source?.kind === "source" ? source.address : question.source,
    mtu: [plan?.link, ...facts.links].find((l) => l?.name === device)?.mtu ?? null,
  };
}

/** What a refusal says of a packet that breaks a plan: everything as text, at most 600 bytes each. */
export function tellCounterexample(
  found: Counterexample,
): Readonly<Record<"property" | "state" | "fault" | "packet" | "way", string>> {
  const { property, state, fault, packet, trace, end, sentenceData } = found;
  const rest = Object.entries(sentenceData).map(([key, value]) => `${key} ${value}`);
  const way = [...trace.flatMap(tell).map((told) => told.text), ...(end === null ? [] : [tellEnd(end)]), ...rest].join(
    "; ",
  );
  return {
    property,
    state,
    fault,
    packet: packet === null ? "" : tellPacket(packet).slice(0, 600),
    way: way.slice(-600),
  };
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
  const names: Record<number, string> = { 1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6" };
  const name = packet.carries === "ip" ? (names[packet.protocol] ?? `protocol ${packet.protocol}`) : packet.carries;
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
  return {
    family: six ? 6 : 4,
    carries: "ip",
    origin: {
      kind: "socket",
      device: question.device,
      source: question.source === null ? "unset" : "set",
      kernel: false,
    },
    source: question.source,
    destination: question.destination,
    protocol: numbers[question.protocol],
    sport: 40000,
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

function tell(step: Step): Told[] {
  if (step.kind === "source") return step.address === null ? [] : [{ kind: "source", text: `from ${step.address}` }];
  if (step.kind === "hook") {
    const { hook, table, chain, rule, verdict } = step.step;
    const family = hook === "egress" ? "netdev" : "inet";
    const line = rule === null ? `policy ${verdict}` : printNftRule(rule, family);
    return [{ kind: "line", text: `${family} ${table} ${chain}: ${line}` }];
  }
  const { rule, route } = step.decision;
  return [
    ...(rule === null ? [] : [{ kind: "rule", text: tellRule(rule) } as const]),
    ...(route === null ? [] : [{ kind: "route", text: tellRoute(route) } as const]),
    ...(step.decision.kind === "route" && step.decision.via === "on-link"
      ? [{ kind: "route", text: `no route: taken for on-link by ${step.decision.device ?? "lo"}` } as const]
      : []),
  ];
}

function tellRule(rule: RuleFact): string {
  return printOperation({ kind: "rule.del", rule }).replace(" rule del", " rule");
}

function tellRoute(route: Route): string {
  const legs = route.legs.map((leg) => `${leg.via === null ? "" : `via ${leg.via} `}dev ${leg.dev}`);
  const words = [
    ...(route.type === "unicast" ? [] : [route.type]),
    route.prefix,
    ...(route.nexthop === null ? legs : [`nhid ${route.nexthop}`]),
    `table ${route.table} metric ${route.metric}`,
  ];
  return words.join(" ");
}
