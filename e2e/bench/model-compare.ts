// (pure) One question, the kernel's answer and the model's: what differs, in words. The machine is the one that was read.
import type { Address } from "../../helper/contract/prefix.ts";
import type { RouteAnswer } from "../../helper/kernel/kernel.ts";
import type { Question, Reading } from "../../helper/kernel/native.ts";
import type { NftTable } from "../../helper/plan/nft.ts";
import { concrete } from "../../helper/proof/concrete.ts";
import { lookup } from "../../helper/proof/fib.ts";
import { value, factsOf } from "../../helper/proof/ground.ts";
import { machineOf, type Machine } from "../../helper/proof/machine.ts";
import { chooseSource } from "../../helper/proof/source.ts";
import { walk } from "../../helper/proof/walk.ts";
import { devices } from "./model-random.ts";

/** What became of a packet that was really sent. */
export interface Sent {
  /** errno's symbol; null: the kernel took it */
  readonly error: string | null;
  /** Notes of the lines whose counters moved. */
  readonly hits: readonly string[];
}

/**
 * UDP from a socket that names no device: what this process can send with an owner, a mark and a source. To itself the
 * machine would answer "port unreachable" and move counters of its own.
 */
export function sendable(question: Question): boolean {
  const own = devices.some((d) => d.addresses.some((a) => a.startsWith(`${question.to}/`)));
  return question.oif === undefined && (question.protocol ?? 17) === 17 && !own && question.to !== "127.0.0.1";
}

/** The machine that was read, as the model sees it: worked out once for all questions about it. */
export interface Model {
  readonly machine: Machine;
  readonly routes: Reading["routes"];
}

export function modelOf(reading: Reading, gate: readonly NftTable[]): Model {
  const facts = { ...factsOf(), ...reading, nexthops: reading.nexthops ?? [] };
  return { machine: { ...machineOf(facts, null, true), nft: gate }, routes: reading.routes };
}

export function differencesIn(model: Model, question: Question, seen: RouteAnswer | Sent): string[] {
  return "hits" in seen ? sentDifferently(model, question, seen) : routedDifferently(model, question, seen);
}

function packetOf(model: Model, question: Question, unsaid = 17) {
  const device = question.oif ?? null;
  const fields = {
    origin: { kind: "socket", device, source: question.from === undefined ? "unset" : "set", kernel: false },
    source: question.from ?? null,
    destination: question.to,
    protocol: question.protocol ?? unsaid,
    sport: question.sport ?? 40000,
    dport: question.dport ?? 7777,
    mark: question.mark ?? 0,
    uid: question.uid ?? 0,
  } as const;
  return concrete(value(fields), model.routes);
}

function routedDifferently(model: Model, question: Question, answer: RouteAnswer): string[] {
  // without a protocol IPv4 is asked as UDP (inet_rtm_getroute), IPv6 as none; a port that is not said is 0
  const unsaid = { sport: question.sport ?? 0, dport: question.dport ?? 0 };
  const packet = packetOf(model, { ...question, ...unsaid }, question.to.includes(":") ? -1 : 17);
  const decision = lookup(model.machine, packet, {
    iif: null,
    oif: question.oif ?? null,
    sourceKnown: question.from !== undefined,
    kernel: false,
  });
  if (decision.kind === "refused" || answer.kind === "refused") {
    const ours = decision.kind === "refused" ? decision.errno : `route by ${decision.device ?? "lo"}`;
    const kernel = answer.kind === "refused" ? answer.code : `route by ${answer.route.legs[0]?.dev ?? "nothing"}`;
    return ours === kernel ? [] : [`model ${ours}, kernel ${kernel}`];
  }
  const leg = answer.route.legs[0];
  const local = answer.route.type === "local" || leg?.dev === "lo";
  const told = (device: string | null, via: Address | null, source: Address | null): string =>
    `${device ?? "lo"}${device === null || via === null ? "" : ` via ${via}`}${source === null ? "" : ` from ${source}`}`;
  const source =
    question.from === undefined && answer.route.src !== null
      ? chooseSource(model.machine, packet, decision, decision.device === null)
      : null;
  const ours = told(decision.device, decision.gateway, source);
  const kernel = told(
    local ? null : (leg?.dev ?? null),
    leg?.via ?? null,
    question.from === undefined ? answer.route.src : null,
  );
  return ours === kernel ? [] : [`model ${ours}, kernel ${kernel}`];
}

function sentDifferently(model: Model, question: Question, seen: Sent): string[] {
  const { end, steps } = walk(model.machine, packetOf(model, { ...question, protocol: 17 }));
  const hits = steps.flatMap((s) => (s.kind === "hook" && s.step.rule !== null ? [s.step.rule.note] : []));
  const differences: string[] = [];
  if (hits.join() !== [...seen.hits].sort((a, b) => hits.indexOf(a) - hits.indexOf(b)).join())
    differences.push(`model met [${hits.join()}], kernel [${seen.hits.join()}]`);
  // a drop at output is told to the sender as EPERM, one at egress is not
  const expected = end.kind === "refused" ? end.errno : end.kind === "dropped" && end.at === "output" ? "EPERM" : null;
  if (expected !== seen.error && !(end.kind === "dropped" && end.at === "reroute"))
    differences.push(`model ${expected ?? "sent"}, kernel ${seen.error ?? "sent"}`);
  return differences;
}
