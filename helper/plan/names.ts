// Names of a policy → the addresses that they have at this moment. What was answered is a fact of the machine like its
// routes; a rule that names names has, besides its own destinations, the addresses of every name that it claims, and none
// while nobody asked. Compiler, prover and the watch of the wire all read a policy bound this way.
import type { Policy, PolicyMatch } from "../contract/policy.ts";
import { andAbove } from "../contract/name.ts";
import { type Address, hostPrefix, type Prefix } from "../contract/prefix.ts";
import type { NameFact } from "./facts.ts";

/** Rules that do not name names keep their identity, and so what is remembered of their lists. */
export function bindNames(policy: Policy, known: readonly NameFact[] = none): Policy {
  if (!policy.rules.some((rule) => rule.match.names !== undefined)) return policy;
  const before = boundOf.get(policy);
  if (before?.known === known) return before.policy;
  const held = claimants(policy);
  const found = new Map<number, Set<Prefix>>();
  for (const { name, addresses } of known)
    for (const place of claimed(held, name)) {
      const set = found.get(place) ?? new Set<Prefix>();
      found.set(place, set);
      for (const address of addresses) set.add(hostPrefix(address));
    }
  const rules = policy.rules.map((rule, place) => {
    if (rule.match.names === undefined) return rule;
    const destination = [...(rule.match.destination ?? []), ...(found.get(place) ?? [])];
    return { ...rule, match: { ...rule.match, destination } satisfies PolicyMatch };
  });
  const bound = { ...policy, rules };
  boundOf.set(policy, { known, policy: bound });
  // what is bound already is bound to the same
  boundOf.set(bound, { known, policy: bound });
  return bound;
}

/** The rules that mean this name, by their places. */
export function rulesOf(policy: Policy, name: string): readonly number[] {
  return claimed(claimants(policy), name);
}

/** Whether names have to be asked of our own resolver. */
export function asksByName(policy: Policy): boolean {
  return policy.rules.some((rule) => rule.match.names !== undefined) || (policy.dns.domains?.length ?? 0) > 0;
}

/** All resolvers that policy names, for everything or for a domain. */
export function namedServers({ dns }: Policy): readonly Address[] {
  return [...new Set([...dns.servers, ...(dns.domains ?? []).flatMap((d) => d.servers)])];
}

const none: readonly NameFact[] = [];
const boundOf = new WeakMap<Policy, { readonly known: readonly NameFact[]; readonly policy: Policy }>();

/** Written name → places of the rules that write it. */
type Claimants = ReadonlyMap<string, readonly number[]>;
const claimantsOf = new WeakMap<Policy, Claimants>();

function claimants(policy: Policy): Claimants {
  const before = claimantsOf.get(policy);
  if (before !== undefined) return before;
  const held = new Map<string, number[]>();
  for (const [place, rule] of policy.rules.entries())
    for (const written of rule.match.names ?? []) {
      const places = held.get(written);
      if (places === undefined) held.set(written, [place]);
      else if (!places.includes(place)) places.push(place);
    }
  claimantsOf.set(policy, held);
  return held;
}

function claimed(held: Claimants, name: string): readonly number[] {
  const places = andAbove(name).flatMap((above) => [
    ...(held.get(above) ?? []),
    ...(above === name ? [] : (held.get(`*.${above}`) ?? [])),
  ]);
  return [...new Set(places)].sort((a, b) => a - b);
}
