// Remembers what was proven. A proof is of plans for one policy, one far end and one machine; what is ours on the machine
// (link, tables, rules, gate) is no part of it, because the prover leaves it out as well. So a plan proven before connecting
// needs no second proof afterwards, and a click waits for none that was made while nobody waited.
import { createHash } from "node:crypto";

import { grant } from "../contract/refusal.ts";
import type { ProofSummary } from "../contract/status.ts";
import type { Facts } from "../plan/facts.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, nexthopIds, protocolKernel, ranges, tableName } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import type { Proved, ProveInput } from "./live.ts";

interface ForeignFacts {
  readonly servers: Facts["resolver"]["ownServers"] | Facts["resolver"]["resolvConf"]["servers"];
}

export type Prove = (input: ProveInput) => Proved;

interface Known {
  readonly value: ProofSummary | null;
  readonly alone: boolean;
}

/** Machines, policies and far ends remembered; each holds the plans of a few states. */
const remembered = 64;

export function rememberProofs(prove: Prove): Prove {
  const known = new Map<string, Map<string, Known>>();
  return (input) => {
    const { policy, exit, plans } = input;
    const set = new Set(Object.values(plans).flatMap((plan: Plan) => plan.sysctls.map((s) => s.key)));
    const sysctls = Object.entries(input.facts.sysctls).filter(([key]) => !set.has(key));
    const about = digest({ policy, exit, sysctls, facts: foreignFacts(input.facts) });
    const names = [plans.connecting, plans.connected, plans.locked].map(digest);
    const before = known.get(about);
    const proofs = names.map((name) => before?.get(name));
    const [first] = proofs;
    if (first !== undefined && proofs.every((p) => p !== undefined))
      return { ...grant(first.value), ...(proofs[1]?.alone === true && { alone: true }) };
    const answer = prove(input);
    if (!answer.ok) return answer;
    known.delete(about);
    // said of the connected plan only: as what it stood in another place is not known
    const proven = names.map(
      (name, i) => [name, { value: answer.value, alone: i === 1 && answer.alone === true }] as const,
    );
    known.set(about, new Map([...(before ?? []), ...proven]));
    for (const oldest of known.keys()) {
      if (known.size <= remembered) break;
      known.delete(oldest);
    }
    return answer;
  };
}

/**
 * The machine without what is ours, as the prover sees it. Who told of resolvers, and others' tables, decide no
 * packet's way.
 */
export function foreignFacts(facts: Facts): Partial<Facts> & ForeignFacts {
  return {
    links: facts.links.filter((l) => l.name !== linkName),
    addresses: facts.addresses.filter((a) => a.link !== linkName),
    routes: facts.routes.filter((r) => !isOwnRoute(r) && !r.legs.some((leg) => leg.dev === linkName)),
    rules: facts.rules.filter(
      (r) => r.protocol !== protocolKernel || r.priority < ranges.firstPriority || r.priority > ranges.lastPriority,
    ),
    nexthops: facts.nexthops.filter((n) => n.id < nexthopIds.first || n.id > nexthopIds.last),
    nftTables: facts.nftTables.filter((t) => t.name !== tableName),
    features: facts.features,
    names: facts.names ?? [],
    // whom names of the direct lane are asked of
    servers: facts.resolver.ownServers ?? facts.resolver.resolvConf.servers,
  };
}

function digest(value: Plan | object): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64");
}
