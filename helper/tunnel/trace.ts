// "Why does this go there", answered twice: by the model, on the machine as it was read this moment, and by the kernel. In
// order: name → address, whose plan is asked about, mark of the program, the walk, RTM_GETROUTE, and whether both agree.
import { parseName } from "../contract/name.ts";
import { type Address, parseAddress } from "../contract/prefix.ts";
import type { Policy } from "../contract/policy.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { NodeRef } from "../contract/status.ts";
import type { Explanation, KernelAnswer, TraceQuestion } from "../contract/trace.ts";
import type { Note } from "../contract/verdict.ts";
import type { RouteAnswer } from "../kernel/kernel.ts";
import { diff } from "../plan/diff.ts";
import { asksByName, rulesOf } from "../plan/names.ts";
import { linkName } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import { printOperation } from "../plan/print.ts";
import { upstreamBy, upstreamOf } from "../policy/dns.ts";
import { laneOfMark } from "../policy/name-lanes.ts";
import { askedPort, type Explained, explain, type Ground, markOf, type Question, tellRoute } from "../proof/explain.ts";
import { readFacts, standing } from "./ground.ts";
import type { Deps } from "./live.ts";
import type { Tunnel } from "./run.ts";
import type { Id } from "./states.ts";
import { nodeRef } from "./status.ts";

export interface Asked {
  readonly question: TraceQuestion;
  /** As it would be with this policy, or this node up; null: as it is. */
  readonly policy: Policy | null;
  readonly node: Id | null;
}

/** HTTPS: what most packets of most programs are. */
const commonPort = 443;

export async function trace(
  deps: Deps,
  tunnel: Tunnel,
  { question, policy, node }: Asked,
): Promise<Answer<Explanation>> {
  const named = await addressesOf(deps, tunnel, question);
  if (!named.ok) return named;
  const [destination] = named.value.addresses;
  if (destination === undefined) return refuse("node.name-not-found", { name: question.to });
  const grounded = await groundOf(deps, tunnel, policy, node);
  if (!grounded.ok) return grounded;
  const { ground, about, exitNode } = grounded.value;
  const device = [question.device, question.incoming].find(
    (name) => name !== undefined && !ground.facts.links.some((l) => l.name === name),
  );
  if (device !== undefined) return refuse("machine.no-link", { name: device });
  if (question.incoming !== undefined && question.from === undefined) return refuse("call.malformed", { at: "from" });
  const asked = questionOf(question, destination, ground.plan);
  const told = explain(ground, asked);
  const kernel =
    about === "stands" ? await askKernel(deps, asked, told) : ({ kind: "not-asked", why: "would" } as const);
  const agrees = compare(asked, told, kernel);
  const { lane, rule, way, end, source, mtu, findings } = told;
  const changed = about === "stands" && ground.plan !== null ? changesOf(ground, ground.plan) : [];
  return grant({
    ...{ about, name: named.value.name, destination, protocol: asked.protocol, port: asked.port },
    ...{ lane, rule, end, source, mtu },
    mark: asked.mark === 0 ? null : hex(asked.mark),
    way: way.slice(0, 64),
    exit: exitOf(end, exitNode),
    ...{ kernel, agrees },
    findings: [
      ...(agrees === false
        ? [{ code: "model.differs", data: { model: modelWords(told), kernel: kernelWords(kernel) } }]
        : []),
      ...findings,
      ...byAddress(ground.policy, told, question.to),
      ...changed,
    ].slice(0, 16),
  });
}

async function addressesOf(
  deps: Deps,
  tunnel: Tunnel,
  { to, app }: TraceQuestion,
): Promise<Answer<{ addresses: Address[]; name: Explanation["name"] }>> {
  const address = parseAddress(to);
  if (address !== undefined) return grant({ addresses: [address], name: null });
  const { by, ...dns } = tunnel.status().dns;
  const { applied, facts } = tunnel.live();
  const policy = deps.store.policy();
  const name = parseName(to);
  // our own resolver asks for it, and whom is what somebody wants to know
  const ours = applied !== null && asksByName(policy) && name !== undefined;
  const mark = app === undefined ? 0 : markOf(applied?.plan ?? null, app);
  const lane = mark === 0 || facts === null ? null : laneOfMark(policy, facts, mark);
  const asked = (): readonly Address[] => {
    if (lane === "block") return [];
    if (lane !== null && applied !== null && facts !== null)
      return upstreamBy(lane, { policy, exit: applied.exit, facts }, name ?? null).map((s) => s.address);
    return ours ? upstreamOf(policy, applied.exit, name).map((s) => s.address) : dns.servers;
  };
  const servers = asked();
  try {
    const addresses = [...(await deps.resolve(to))].slice(0, 64);
    return grant({ addresses, name: { name: to, servers: [...servers].slice(0, 32), by, addresses } });
  } catch {
    return refuse("node.name-not-found", { name: to });
  }
}

/** A rule by name that decides although it does not mean this name: they share the address. */
function byAddress(policy: Policy, { rule }: Explained, to: string): Note[] {
  const name = parseName(to);
  const decides = policy.rules.find((one) => one.id === rule?.id);
  if (name === undefined || decides?.match.names === undefined) return [];
  if (rulesOf(policy, name).some((place) => policy.rules[place] === decides)) return [];
  return [{ code: "names.by-address", data: { rule: decides.name, name } }];
}

interface Grounded {
  readonly ground: Ground;
  readonly about: Explanation["about"];
  readonly exitNode: NodeRef | null;
}

/** What stands, read this moment; or a plan that is not applied, on the machine as it is. */
async function groundOf(deps: Deps, tunnel: Tunnel, policy: Policy | null, node: Id | null): Promise<Answer<Grounded>> {
  if (policy === null && (node === null || node === tunnel.live().applied?.node)) {
    const [now, gate] = await Promise.all([readFacts(deps, { ...tunnel.live() }), deps.kernel.gate()]);
    const { applied } = tunnel.live();
    const facts = applied === null ? now : standing(now, applied);
    const plan = applied?.plan ?? null;
    const ground = { policy: deps.store.policy(), facts, exit: applied?.exit ?? null, plan, gate };
    return grant({ ground, about: "stands", exitNode: applied === null ? null : refOf(deps, applied.node) });
  }
  const planned = await tunnel.plansFor(node, policy);
  if (!planned.ok) return planned;
  const { facts, exit, connected } = planned.value;
  const ground = { policy: policy ?? deps.store.policy(), facts, exit, plan: connected, gate: null };
  return grant({ ground, about: "would", exitNode: refOf(deps, planned.value.node) });
}

function refOf(deps: Deps, id: Id): NodeRef | null {
  const node = deps.store.node(id);
  return node === undefined ? null : nodeRef(node);
}

function questionOf(question: TraceQuestion, destination: Address, plan: Plan | null): Question {
  const protocol = question.protocol ?? "tcp";
  return {
    ...{ destination, protocol },
    port: protocol === "icmp" ? null : (question.port ?? commonPort),
    source: question.from ?? null,
    device: question.device ?? null,
    incoming: question.incoming ?? null,
    uid: question.user ?? 0,
    mark: question.app === undefined ? 0 : markOf(plan, question.app),
  };
}

async function askKernel(deps: Deps, asked: Question, told: Explained): Promise<KernelAnswer> {
  if (told.rerouted) return { kind: "not-asked", why: "reroute" };
  const six = asked.destination.includes(":");
  const answer = await deps.kernel.ask({
    ...{ to: asked.destination, protocol: { tcp: 6, udp: 17, icmp: six ? 58 : 1 }[asked.protocol] },
    ...(asked.port === null ? {} : { sport: askedPort, dport: asked.port }),
    ...(asked.source === null ? {} : { from: asked.source }),
    ...(asked.device === null ? {} : { oif: asked.device }),
    ...(asked.incoming === null ? { uid: asked.uid } : { iif: asked.incoming }),
    ...(asked.mark === 0 ? {} : { mark: asked.mark }),
  });
  return kernelAnswer(answer);
}

function kernelAnswer(answer: RouteAnswer): KernelAnswer {
  // 14.8: it answers for TCP, UDP and ICMP only
  if (answer.kind === "refused" && answer.code === "EOPNOTSUPP") return { kind: "not-asked", why: "protocol" };
  if (answer.kind === "refused") return { kind: "refused", errno: answer.code };
  const { route } = answer;
  const [leg] = route.legs;
  const local = route.type === "local" || leg?.dev === "lo";
  return {
    ...{ kind: "route", text: tellRoute(route).slice(0, 600), table: route.table },
    device: local ? null : (leg?.dev ?? null),
    gateway: local ? null : (leg?.via ?? null),
    source: route.src,
  };
}

/** null: nothing to compare. The kernel is asked about the way only; what nft does then is the model's alone. */
function compare(asked: Question, told: Explained, kernel: KernelAnswer): boolean | null {
  const { decision } = told;
  if (kernel.kind === "not-asked" || decision === null) return null;
  if (kernel.kind === "refused" || decision.kind === "refused")
    return kernel.kind === "refused" && decision.kind === "refused" && kernel.errno === decision.errno;
  const same =
    kernel.device === decision.device && kernel.gateway === (decision.device === null ? null : decision.gateway);
  // with a source given IPv4 does not repeat it (14), and forwarded packets bring their own
  const chosen = asked.source === null && kernel.source !== null && told.source !== null;
  return same && (!chosen || kernel.source === told.source);
}

function changesOf(ground: Ground, plan: Plan): Note[] {
  const changes = diff(plan, ground.facts).map(printOperation);
  const [first] = changes;
  return first === undefined
    ? []
    : [{ code: "plan.changed", data: { lacks: first.slice(0, 300), changes: changes.length } }];
}

function exitOf(end: Explanation["end"], node: NodeRef | null): Explanation["exit"] {
  if (end.kind !== "left") return null;
  if (end.device !== linkName || node === null) return { kind: "uplink", device: end.device };
  return { kind: "node", node: node.name, endpoint: node.endpoint };
}

function modelWords({ decision, source }: Explained): string {
  if (decision === null) return "";
  if (decision.kind === "refused") return decision.errno;
  return `${wayWords(decision.device, decision.gateway)}${source === null ? "" : ` from ${source}`}`;
}

function kernelWords(kernel: KernelAnswer): string {
  if (kernel.kind === "not-asked") return "";
  if (kernel.kind === "refused") return kernel.errno;
  return `${wayWords(kernel.device, kernel.gateway)}${kernel.source === null ? "" : ` from ${kernel.source}`}`;
}

function wayWords(device: string | null, gateway: Address | null): string {
  if (device === null) return "local";
  return gateway === null ? `dev ${device}` : `dev ${device} via ${gateway}`;
}

const hex = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
