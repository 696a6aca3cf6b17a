// The machine that a packet walks through, as a value: what the facts say, with Culvert's own things taken out and those
// of one plan put in. A fault is a change of this value, so that a state with a fault is a machine like any other.
import {
  addressOf,
  familyOf,
  hostPrefix,
  lengthOf,
  networkOf,
  type Address,
  type Family,
  type Prefix,
} from "../contract/prefix.ts";
import type { Facts, RouteFact, RuleFact } from "../plan/facts.ts";
import type { NftTable } from "../plan/nft.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, mainTable, protocolKernel, ranges } from "../plan/numbers.ts";
import type { Plan, PlanNexthop, PlanRoute } from "../plan/plan.ts";
import { routeFact, ruleFact } from "../plan/simulate.ts";
import { bundlesOf, single, type Bundle } from "./bundles.ts";

export const localTable = 255;
export { mainTable } from "../plan/numbers.ts";

export interface Link {
  readonly name: string;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly loopback: boolean;
  /** Culvert's own adapter: what leaves by it is in the tunnel. */
  readonly tunnel: boolean;
}

export interface MachineAddress {
  readonly link: string;
  readonly address: Address;
  readonly length: number;
  readonly scope: "global" | "link" | "host" | "site";
  readonly deprecated: boolean;
  readonly temporary: boolean;
}

/** A route; `only` names the fault in which alone it is there, `planned` says that a plan laid it. */
export interface Route extends RouteFact {
  readonly only?: string;
  readonly planned?: true;
}

export interface Machine {
  readonly links: ReadonlyMap<string, Link>;
  readonly addresses: readonly MachineAddress[];
  /** Both families, in the order the kernel asks them. */
  readonly rules: readonly RuleFact[];
  readonly nexthops: ReadonlyMap<number, PlanNexthop | { readonly group: readonly number[] }>;
  readonly nft: readonly NftTable[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ipv6: boolean;
  /** Name of the fault that brought routes, else null: routes with `only` are there when it is theirs. */
  readonly fault: string | null;
  /** false: the machine without Culvert, where planned routes are not there */
  readonly planned: boolean;
}

/** Is it Culvert's own: taken out of the facts before a plan is put in. */
export const ownRule = (rule: RuleFact): boolean =>
  rule.protocol === protocolKernel && rule.priority >= ranges.firstPriority && rule.priority <= ranges.lastPriority;
export const ownRoute = (route: RouteFact): boolean =>
  isOwnRoute(route) || route.legs.some((leg) => leg.dev === linkName);

/** The machine under a plan; null is the machine as it is without Culvert. `half` keeps what there is of ours: a step. */
export function machineOf(facts: Facts, plan: Plan | null, half = false): Machine {
  const links = new Map<string, Link>();
  for (const { name, up, carrier, loopback } of facts.links)
    if (half || name !== linkName) links.set(name, { name, up, carrier, loopback, tunnel: name === linkName });
  if (plan?.link)
    links.set(plan.link.name, { name: plan.link.name, up: true, carrier: true, loopback: false, tunnel: true });
  const rules = facts.rules.filter((rule) => half || !ownRule(rule));
  return {
    links,
    addresses: [...addressesOf(facts, half), ...ownAddresses(plan)],
    rules: sortRules([...rules, ...(plan?.rules ?? []).map(ruleFact)]),
    nexthops: nexthopsOf(facts, plan),
    nft: plan?.nft ?? [],
    sysctls: { ...facts.sysctls, ...Object.fromEntries((plan?.sysctls ?? []).map((s) => [s.key, s.value])) },
    ipv6: facts.features.ipv6,
    fault: null,
    planned: plan !== null,
  };
}

/** Every route the machine has under a plan, those the kernel makes for the adapter's addresses included. */
export function routesOf(facts: Facts, plan: Plan | null, half = false): Route[] {
  return [...foundRoutes(facts, plan, half), ...(plan?.routes ?? []).map(asRead)];
}

/** The same, those that differ in their prefix alone together. */
export function bundlesUnder(facts: Facts, plan: Plan | null, half = false): Bundle[] {
  return [...foundRoutes(facts, plan, half).map(single), ...bundlesOf(plan?.routes ?? [], asRead)];
}

function foundRoutes(facts: Facts, plan: Plan | null, half: boolean): Route[] {
  return [
    ...facts.routes.filter((route) => half || !ownRoute(route)),
    ...(plan?.link ? plan.link.addresses.flatMap((a) => kernelRoutes(linkName, addressOf(a), null).map(planned)) : []),
  ];
}

const asRead = (route: PlanRoute): Route => planned(routeFact(route));

const planned = (route: RouteFact): Route => ({ ...route, planned: true });

/** Lower preference first; among equals the older, which the facts give in order (1.7). */
export function sortRules(rules: readonly RuleFact[]): RuleFact[] {
  return rules
    .map((rule, age) => ({ rule, age }))
    .sort((a, b) => a.rule.priority - b.rule.priority || a.age - b.age)
    .map((x) => x.rule);
}

/**
 * What the kernel lays for an address of a device: its local route, multicast, and the on-link prefix in main; `length`
 * null is an address without the latter (IFA_F_NOPREFIXROUTE, as ours are added).
 */
export function kernelRoutes(dev: string, address: Address, length: number | null): Route[] {
  const family = familyOf(address);
  const bits = family === 4 ? 32 : 128;
  const one = (table: number, prefix: Prefix, type: Route["type"], metric: number): Route => ({
    ...plain,
    ...{ family, table, prefix, type, metric, legs: [leg(dev, null, false)] },
    src: family === 4 ? address : null,
  });
  const routes = [one(localTable, hostPrefix(address), "local", 0)];
  if (family === 6) routes.push(one(localTable, "ff00::/8" as Prefix, "multicast", 256));
  if (length !== null && length < bits)
    routes.push(one(mainTable, networkOf(`${address}/${length}` as never), "unicast", family === 4 ? 0 : 256));
  return routes;
}

const plain = { protocol: protocolKernel, scope: 0, tos: 0, from: null, src: null, nexthop: null } as const;
const leg = (dev: string, via: Address | null, onlink: boolean): Route["legs"][number] => ({
  ...{ dev, via, onlink, weight: 1, linkdown: false, dead: false },
});

function addressesOf(facts: Facts, half: boolean): MachineAddress[] {
  return facts.addresses
    .filter((a) => (half || a.link !== linkName) && !a.tentative)
    .map((a) => ({
      link: a.link,
      address: addressOf(a.address),
      length: lengthOf(a.address),
      scope: a.scope,
      deprecated: a.deprecated,
      temporary: a.temporary,
    }));
}

function ownAddresses(plan: Plan | null): MachineAddress[] {
  return (plan?.link?.addresses ?? []).map((a) => ({
    link: linkName,
    address: addressOf(a),
    length: lengthOf(a),
    scope: "global",
    deprecated: false,
    temporary: false,
  }));
}

function nexthopsOf(facts: Facts, plan: Plan | null): Machine["nexthops"] {
  const all = new Map<number, PlanNexthop | { readonly group: readonly number[] }>();
  for (const hop of facts.nexthops) {
    if (hop.group.length > 0) all.set(hop.id, { group: hop.group });
    else if (hop.blackhole) all.set(hop.id, { id: hop.id, family: hop.family, to: { kind: "blackhole" } });
    else if (hop.dev !== null)
      all.set(hop.id, {
        id: hop.id,
        family: hop.family,
        to: { kind: "dev", dev: hop.dev, via: hop.via, onlink: false },
      });
  }
  for (const hop of plan?.nexthops ?? []) all.set(hop.id, hop);
  return all;
}

export const families: readonly Family[] = [4, 6];
