// Names and lists of a policy → the prefixes that they are at this moment. What was answered is a fact of the machine like its
// routes; a rule that names names has, besides its own destinations, the addresses of every name that it claims, and none
// while nobody asked. Compiler, prover and the watch of the wire all read a policy bound this way.
import type { Policy, PolicyMatch, PolicyRule } from "../contract/policy.ts";
import { andAbove } from "../contract/name.ts";
import { type Address, hostPrefix, type Prefix } from "../contract/prefix.ts";
import type { Facts, NameFact } from "./facts.ts";

/** Rules that name neither keep their identity, and so what is remembered of their lists. */
export function bindNames(policy: Policy, { names = none, lists = noLists }: Known): Policy {
  if (!policy.rules.some(isOpen)) return policy;
  const before = boundOf.get(policy);
  if (before?.names === names && sameLists(before.lists, lists)) return before.policy;
  const found = addressesOf(policy, names);
  const rules = policy.rules.map((rule, place) =>
    isOpen(rule) ? bound(rule, [...(found.get(place) ?? [])], lists) : rule,
  );
  const made = { ...policy, rules };
  boundOf.set(policy, { names, lists, policy: made });
  // what is bound already is bound to the same
  boundOf.set(made, { names, lists, policy: made });
  return made;
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

/** What of the facts a policy is bound to. */
export type Known = Pick<Facts, "names" | "lists">;

interface Bound extends Required<Known> {
  readonly policy: Policy;
}

const none: readonly NameFact[] = [];
const noLists: NonNullable<Known["lists"]> = {};
const nothing: readonly Prefix[] = [];
const everything = ["0.0.0.0/0", "::/0"] as readonly string[] as readonly Prefix[];
const boundOf = new WeakMap<Policy, Bound>();

function isOpen({ match }: PolicyRule): boolean {
  return match.names !== undefined || match.lists !== undefined;
}

/**
 * A list alone stays the very array it is: who has seen it needs not sort a million prefixes again. Of a list that the disk
 * has lost nobody knows what it kept inside: until it is back it opens nothing, and closes everything.
 */
function bound(rule: PolicyRule, found: readonly Prefix[], kept: NonNullable<Known["lists"]>): PolicyRule {
  const { destination = [], lists = [] } = rule.match;
  const lost = rule.lane === "direct" ? nothing : everything;
  const parts = [destination, ...lists.map((id) => kept[id] ?? lost), found].filter((part) => part.length > 0);
  const [only = []] = parts;
  const all = (parts.length > 1 ? parts.flat() : only) as Prefix[];
  return { ...rule, match: { ...rule.match, destination: all } satisfies PolicyMatch };
}

function sameLists(a: NonNullable<Known["lists"]>, b: NonNullable<Known["lists"]>): boolean {
  const ids = Object.keys(a);
  return ids.length === Object.keys(b).length && ids.every((id) => a[id] === b[id]);
}

function addressesOf(policy: Policy, names: readonly NameFact[]): ReadonlyMap<number, ReadonlySet<Prefix>> {
  const held = claimants(policy);
  const found = new Map<number, Set<Prefix>>();
  for (const { name, addresses } of names)
    for (const place of claimed(held, name)) {
      const set = found.get(place) ?? new Set<Prefix>();
      found.set(place, set);
      for (const address of addresses) set.add(hostPrefix(address));
    }
  return found;
}

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
