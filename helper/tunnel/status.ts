// Pieces → the one status that everybody sees. What is not known is null or empty, never a guess.
import { stubAddress } from "../plan/numbers.ts";
import { upstreamOf } from "../policy/dns.ts";
import type { Node } from "../contract/node.ts";
import type { Policy } from "../contract/policy.ts";
import { familyOf } from "../contract/prefix.ts";
import type { Drift, NodeRef, ProofSummary, State, Status, Step, StepName, Uplink } from "../contract/status.ts";
import { stepNames } from "../contract/status.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import type { Plan } from "../plan/plan.ts";
import { groundOf } from "../policy/ground.ts";
import { nftIsOld } from "../policy/lint.ts";
import { outranking } from "../policy/takeover.ts";
import type { Machine } from "./states.ts";

export interface Pieces {
  readonly version: string;
  readonly seq: number;
  readonly at: number;
  readonly since: number;
  readonly machine: Machine;
  readonly refs: (id: string) => NodeRef;
  readonly steps: StepTimes;
  readonly lastHeard: number | null;
  readonly facts: Facts | null;
  readonly uplinks: readonly Uplink[];
  readonly policy: Policy;
  /** What stands in the kernel, and for whom; null when nothing of ours does. */
  readonly applied: { readonly plan: Plan; readonly exit: Exit } | null;
  /** The gate from boot on stands while nothing is connected. */
  readonly held: boolean;
  readonly seenAs: Status["seenAs"];
  readonly proof: ProofSummary | null;
  readonly drift: readonly Drift[];
  readonly standIn: boolean;
  /** Until when the policy of now must be confirmed; null: it need not be. */
  readonly confirmUntil: number | null;
}

export type StepTimes = Readonly<Record<StepName, { readonly state: Step["state"]; readonly tookMs: number | null }>>;

export const noSteps: StepTimes = {
  "gate-closed": { state: "waiting", tookMs: null },
  "node-answers": { state: "waiting", tookMs: null },
  "routes-laid": { state: "waiting", tookMs: null },
  "read-back": { state: "waiting", tookMs: null },
  "gate-opens": { state: "waiting", tookMs: null },
};

export function buildStatus(p: Pieces): Status {
  const { machine, applied } = p;
  const up = machine.kind === "connected";
  const shut = machine.kind !== "off" && machine.kind !== "failed";
  return {
    seq: p.seq,
    helper: { version: p.version, at: p.at },
    state: stateOf(p),
    since: p.since,
    host: p.facts?.hostName ?? "",
    uplinks: [...p.uplinks],
    direct: shut ? directOf(p) : [],
    ipv6: ipv6Of(p),
    inside: up && applied !== null ? [...applied.exit.inside] : [],
    seenAs: up ? p.seenAs : { ipv4: null, ipv6: null },
    dns: dnsOf(p),
    proof: shut ? p.proof : null,
    drift: [...p.drift],
    ...(p.confirmUntil === null ? {} : { confirm: { until: p.confirmUntil } }),
    notices: noticesOf(p),
  };
}

export function nodeRef(node: Node): NodeRef {
  const { host, port } = node.endpoint;
  return { id: node.id, name: node.name, endpoint: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}` };
}

function stateOf(p: Pieces): State {
  const { machine: m, refs } = p;
  const steps = stepNames.map((name) => ({ name, ...p.steps[name] }));
  switch (m.kind) {
    case "off":
      return { kind: "off" };
    case "failed":
      return { kind: "failed", node: m.node === null ? null : refs(m.node), refusal: m.refusal };
    case "connecting":
      return { kind: "connecting", node: refs(m.node), steps };
    case "connected":
      return { kind: "connected", node: refs(m.node) };
    case "switching":
      return { kind: "switching", from: refs(m.from), to: refs(m.node), steps };
    case "locked":
      return lockedState(p, m.node, m.cause, m.attempts);
    case "leaving":
      // shown only when the undoing failed: what stays, stays closed
      return lockedState(p, m.node, "plan-broken", 0);
  }
}

function lockedState(p: Pieces, node: string, cause: (State & { kind: "locked" })["cause"], attempts: number): State {
  const by = cause === "fight" ? p.drift.findLast((d) => d.author !== null)?.author : undefined;
  const why = typeof by === "string" ? { by } : {};
  return { kind: "locked", node: p.refs(node), cause, attempts, lastHeard: p.lastHeard, ...why };
}

function directOf({ uplinks, policy }: Pieces): Status["direct"] {
  const lan = policy.lan.allow ? uplinks.flatMap((u) => u.lan) : [];
  const rules = policy.rules.filter((r) => r.lane === "direct");
  return [
    ...[...new Set(lan)].map((text) => ({ kind: "lan" as const, text })),
    ...rules.map((r) => ({ kind: "rule" as const, text: r.name })),
  ];
}

function ipv6Of({ machine, facts, uplinks, applied, policy }: Pieces): Status["ipv6"] {
  if (facts !== null && !facts.features.ipv6) return "absent";
  const shown = uplinks.some((uplink) => uplink.addresses.some((a) => familyOf(a) === 6));
  if (facts?.features.ipv6Off === true && !shown) return "absent";
  if (machine.kind === "off" || machine.kind === "failed") return "open";
  if (machine.kind === "connecting" && !machine.closed) return "open";
  if (machine.kind !== "connected" || applied === null || policy.ipv6 === "block") return "blocked";
  if (facts?.features.ipv6Off === true) return "blocked";
  const { inside, allowedIps } = applied.exit;
  return inside.some((a) => familyOf(a) === 6) && allowedIps.some((a) => familyOf(a) === 6) ? "carried" : "blocked";
}

function dnsOf({ applied, facts, policy }: Pieces): Status["dns"] {
  const dns = applied?.plan.dns ?? null;
  if (applied !== null && dns?.servers.includes(stubAddress) === true)
    return { servers: upstreamOf(policy, applied.exit, null).map((s) => s.address), by: dns.by };
  if (dns !== null) return { servers: [...dns.servers], by: dns.by };
  return { servers: [...(facts?.resolver.resolvConf.servers ?? [])], by: "none" };
}

function noticesOf({ facts, standIn, applied, held, policy }: Pieces): Status["notices"] {
  const up = facts?.links.filter((l) => l.up && !l.loopback) ?? [];
  return [
    ...(held ? (["gate.at-rest"] as const) : []),
    ...(facts?.features.owner === false ? (["gate.no-owner"] as const) : []),
    ...(facts?.features.devicePrefix === false ? (["gate.no-device-prefix"] as const) : []),
    ...(facts !== null && nftIsOld(facts.features) ? (["nft.old"] as const) : []),
    ...(up.some((l) => l.xdp) ? (["bypass.xdp"] as const) : []),
    ...(up.some((l) => l.clsact) ? (["bypass.clsact"] as const) : []),
    ...(standIn ? (["engine.stand-in"] as const) : []),
    ...(facts !== null && applied !== null && isOutranked(policy, facts, applied) ? (["form.outranked"] as const) : []),
  ];
}

/**
 * A route of others in main that wins over the form: what goes there is held, and does not arrive. Neighbours on a link's own
 * network are no news: every home with IPv6 has a public one.
 */
function isOutranked(policy: Policy, facts: Facts, { exit, plan }: NonNullable<Pieces["applied"]>): boolean {
  if (policy.form === "table" || plan.state !== "connected") return false;
  const ground = groundOf({ policy, facts, exit, state: plan.state });
  return outranking(ground).some((route) =>
    ground.links.every((link) => link.name !== route.legs[0]?.dev || !link.neighbours.includes(route.prefix)),
  );
}
