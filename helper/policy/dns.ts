// Who answers names, and how the machine is told. The servers are policy's, or else the node's; without any, port 53
// leaves nowhere (gate) and the plan says nothing of names. The way is chosen from what the machine has, and only a way
// that its programs really use: systemd-resolved counts when resolv.conf leads to it.
import { asksByName, namedServers, rulesOf } from "../plan/names.ts";
import { firstMetric, linkName, markMask, marks, priorities, stubAddress, tables } from "../plan/numbers.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import type { PlanDns, PlanRoute, PlanRule } from "../plan/plan.ts";
import { claims } from "../contract/name.ts";
import type { Policy } from "../contract/policy.ts";
import { covers, hostPrefix, familyOf } from "../contract/prefix.ts";
import type { Address, Family } from "../contract/prefix.ts";
import { waysTo } from "./bypass.ts";
import type { Ground } from "./ground.ts";
import { laneOf } from "./lanes.ts";
import { directServers } from "./name-lanes.ts";
import { has } from "./prefix-set.ts";
import { outOf } from "./tunnel.ts";
import { lanOf } from "./uplinks.ts";

/** RFC 1035, RFC 7858, RFC 9250. Names over HTTPS cannot be told from any other HTTPS. */
export const dnsPorts = [
  { protocol: 17, port: 53 },
  { protocol: 6, port: 53 },
  { protocol: 17, port: 853 },
  { protocol: 6, port: 853 },
] as const;

/**
 * The node's resolver is asked through the tunnel also where the LAN, a rule, or, in a form that lies in main, any route
 * of others claims its address; only for names.
 */
export function resolverRules(ground: Ground, family: Family): readonly PlanRule[] {
  return ground.resolvers
    .filter((server) => familyOf(server) === family && isOfNode(ground, server))
    .filter((server) => ground.policy.form !== "table" || isClaimed(ground, server))
    .flatMap((server) =>
      dnsPorts.map(({ protocol, port }): PlanRule => {
        const to = hostPrefix(server);
        const action = { kind: "lookup", table: tables.tunnel } as const;
        return { family, priority: priorities.resolver, to, protocol, dport: { from: port, to: port }, action };
      }),
    );
}

/** What our resolver asks for the direct lane goes to these servers by an uplink, and nowhere else. */
export function askingRules(ground: Ground, family: Family): readonly PlanRule[] {
  if (askedDirectly(ground, family).length === 0) return [];
  const asking = { value: marks.direct, mask: markMask };
  const { asking: priority, askingStop } = priorities;
  return [
    { family, priority, mark: asking, action: { kind: "lookup", table: tables.names } },
    { family, priority: askingStop, mark: asking, action: { kind: "unreachable" } },
  ];
}

/** Host routes: a route that a network pushed into main does not move them (TunnelVision). */
export function askingRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  return askedDirectly(ground, family).flatMap((server) =>
    waysTo(ground, server).map((way, i) => outOf(way, tables.names, hostPrefix(server), firstMetric + i)),
  );
}

/** Whom our resolver may ask for the direct lane. */
export function askedDirectly(ground: Ground, family: Family): readonly Address[] {
  if (!ground.direct) return [];
  return ground.names.direct.filter((server) => familyOf(server) === family);
}

/** By the LAN, or by a rule for whoever and whatever: it might catch somebody who asks. */
function isClaimed({ lan, lanes }: Ground, server: Address): boolean {
  if (lan.some((l) => covers(l.prefix, server))) return true;
  return lanes.some((set) => set.lane !== "tunnel" && has(set.prefixes, hostPrefix(server)));
}

/** Through the tunnel, as far as names go; a resolver that policy names goes the lane of its address. */
export function asksInside(ground: Ground, server: Address): boolean {
  return isOfNode(ground, server) || laneOf(ground, server).kind === "tunnel";
}

function isOfNode(ground: Ground, server: Address): boolean {
  return !namedServers(ground.policy).includes(server);
}

/**
 * `by` inside: from an inside address, which goes through the tunnel whatever else the mode or a rule says; direct: under
 * the direct mark; routing: as anybody's question.
 */
export interface Upstream {
  readonly address: Address;
  readonly by: "inside" | "direct" | "routing";
}

/**
 * Whom our own resolver asks for a name: the servers of its domain (the longest that covers it), else policy's, else the
 * node's.
 */
export function upstreamOf(policy: Policy, exit: Exit, name: string | null): readonly Upstream[] {
  const named = (servers: readonly Address[]) => servers.map((address) => ({ address, by: "routing" }) as const);
  const domains = (policy.dns.domains ?? []).filter(({ domain }) => name !== null && claims(domain, name));
  const [longest] = [...domains].sort((a, b) => b.domain.length - a.domain.length);
  if (longest !== undefined) return named(longest.servers);
  if (policy.dns.servers.length > 0) return named(policy.dns.servers);
  return exit.dns.map((address) => ({ address, by: "inside" }));
}

/**
 * Whom our own resolver asks for a program of this lane: the servers of a name's domain as everybody does, for they alone
 * know it; else policy's or the uplink's directly, or policy's that are not near or the node's through the tunnel. Answers
 * to names of rules move everybody's packets to those addresses, so the uplink's network is not the one to give them.
 */
export function upstreamBy(
  lane: "direct" | "tunnel",
  { policy, exit, facts }: { readonly policy: Policy; readonly exit: Exit; readonly facts: Facts },
  name: string | null,
): readonly Upstream[] {
  if (name !== null && (policy.dns.domains ?? []).some(({ domain }) => claims(domain, name)))
    return upstreamOf(policy, exit, name);
  if (lane === "direct" && name !== null && rulesOf(policy, name).length > 0) return upstreamOf(policy, exit, name);
  if (lane === "direct") return directServers(policy, facts).map((address) => ({ address, by: "direct" }));
  const near = lanOf(policy, facts).map((l) => l.prefix);
  const far = policy.dns.servers.filter((server) => !near.some((prefix) => covers(prefix, server)));
  return (far.length > 0 ? far : exit.dns).map((address) => ({ address, by: "inside" }));
}

/** systemd-resolved's stub and proxy (systemd-resolved.service(8)). */
const stubs: readonly string[] = ["127.0.0.53", "127.0.0.54"];

export function dnsOf(ground: Ground): PlanDns | null {
  const servers = asksByName(ground.policy) ? [stubAddress] : ground.resolvers;
  // names are changed only once the tunnel carries, and stay so while it is locked: to change back would ask the ISP's
  if (servers.length === 0 || ground.exit === null || !(ground.open || ground.state === "locked")) return null;
  const { resolvedRunning, resolvconf, resolvConf } = ground.facts.resolver;
  const leadsToResolved =
    resolvConf.servers.some((s) => stubs.includes(s)) || (resolvConf.target?.includes("systemd/resolve/") ?? false);
  if (resolvedRunning && leadsToResolved) return { by: "resolved", link: linkName, servers };
  // Debian's writes a file of its own and never over another one's resolv.conf; openresolv writes over whatever is there
  const leadsToResolvconf = resolvconf === "openresolv" || (resolvConf.target?.includes("resolvconf/") ?? false);
  if (resolvconf !== "none" && leadsToResolvconf && !resolvConf.immutable)
    return { by: "resolvconf", link: linkName, servers };
  return resolvConf.immutable ? null : { by: "file", path: resolvConf.path, servers };
}
