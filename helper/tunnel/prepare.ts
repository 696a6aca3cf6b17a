// The plans for a node, compiled for every state and proven, and everything that can be refused before the machine is touched.
import type { Policy } from "../contract/policy.ts";
import { familyOf } from "../contract/prefix.ts";
import { grant, refuse } from "../contract/refusal.ts";
import type { Configuration } from "../nodes/conf.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { isClosedAtRest, readFacts } from "./ground.ts";
import type { Deps, Live, Outcome, Planned, Said } from "./live.ts";
import { byFamily, resolveHost } from "./resolve.ts";
import type { Id } from "./states.ts";

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
  const names = await deps.names.ready(policy, facts);
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

export async function prepare(deps: Deps, live: Live, node: Id, outcome: Outcome): Promise<Said> {
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
  const made = {
    node,
    facts,
    configuration,
    exit,
    closing,
    connected: connected.value,
    proof: proof.value,
    alone: proof.alone === true,
  };
  return grant(made);
}
