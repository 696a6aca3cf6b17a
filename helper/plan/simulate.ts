// What the machine reads like after operations: the diff's other half, for the kernel over a value and for tests. Only
// what the operations themselves name changes; what Linux adds of its own accord (local routes, multicast) stays out.
import type { Operation } from "./diff.ts";
import type { Facts, LinkFact, NexthopFact, RouteFact, RuleFact } from "./facts.ts";
import { protocolKernel } from "./numbers.ts";
import type { PlanNexthop, PlanRoute, PlanRule } from "./plan.ts";

export function simulate(facts: Facts, operations: readonly Operation[]): Facts {
  let links = [...facts.links];
  let addresses = [...facts.addresses];
  let rules = [...facts.rules];
  let routes = [...facts.routes];
  const nexthops = new Map(facts.nexthops.map((n) => [n.id, n]));
  const sysctls = { ...facts.sysctls };
  // a hundred thousand changes must not each walk all routes: new ones are held by key, gone ones as they are, until
  // another operation comes
  const replaced = new Map<string, RouteFact>();
  const gone = new Set<RouteFact>();
  const settle = (): void => {
    if (gone.size > 0) routes = routes.filter((r) => !gone.has(r));
    gone.clear();
    if (replaced.size === 0) return;
    const seen = new Set<string>();
    routes = routes.map((old) => {
      const key = keyOf(old);
      const now = seen.has(key) ? undefined : replaced.get(key);
      seen.add(key);
      return now ?? old;
    });
    for (const [key, route] of replaced) if (!seen.has(key)) routes.push(route);
    replaced.clear();
  };
  for (const op of operations) {
    if (op.kind !== "route.replace" && op.kind !== "route.del") settle();
    switch (op.kind) {
      case "sysctl.set":
        sysctls[op.key] = op.value;
        break;
      case "link.set": {
        const old = links.find((l) => l.name === op.name) ?? newLink(op.name, links);
        links = [...links.filter((l) => l.name !== op.name), { ...old, up: true, mtu: op.mtu }];
        break;
      }
      case "link.del":
        links = links.filter((l) => l.name !== op.name);
        addresses = addresses.filter((a) => a.link !== op.name);
        routes = routes.filter((r) => r.legs.length === 0 || r.legs.some((leg) => leg.dev !== op.name));
        break;
      case "address.add":
        addresses.push({
          link: op.link,
          address: op.address,
          scope: "global",
          temporary: false,
          deprecated: false,
          tentative: false,
          dynamic: false,
        });
        break;
      case "address.del":
        addresses = addresses.filter((a) => a.link !== op.link || a.address !== op.address);
        break;
      case "nexthop.replace":
        nexthops.set(op.nexthop.id, nexthopFact(op.nexthop));
        break;
      case "nexthop.del":
        nexthops.delete(op.id);
        routes = routes.filter((r) => r.nexthop !== op.id);
        break;
      case "route.replace":
        if (gone.size > 0) settle();
        replaced.set(keyOf(op.route), routeFact(op.route));
        break;
      case "route.del":
        if (replaced.size > 0) settle();
        gone.add(op.route);
        break;
      case "rule.add":
        rules.push(ruleFact(op.rule));
        break;
      case "rule.del":
        rules = rules.filter((r) => r !== op.rule);
        break;
      default:
        op satisfies never;
    }
  }
  settle();
  return { ...facts, links, addresses, rules, routes, nexthops: [...nexthops.values()], sysctls };
}

/** How a planned route reads once the kernel has it. */
export function routeFact(route: PlanRoute): RouteFact {
  const { to } = route;
  return {
    family: route.family,
    table: route.table,
    prefix: route.prefix,
    type: to.kind === "dev" || to.kind === "nexthop" ? "unicast" : to.kind,
    metric: route.metric,
    protocol: protocolKernel,
    scope: to.kind === "dev" && to.via === null && route.family === 4 ? 253 : 0,
    tos: 0,
    from: null,
    src: to.kind === "dev" ? to.src : null,
    nexthop: to.kind === "nexthop" ? to.id : null,
    legs:
      to.kind === "dev"
        ? [{ dev: to.dev, via: to.via, onlink: to.onlink, weight: 1, linkdown: false, dead: false }]
        : [],
  };
}

export function ruleFact(rule: PlanRule): RuleFact {
  return {
    family: rule.family,
    priority: rule.priority,
    protocol: protocolKernel,
    not: false,
    from: rule.from ?? null,
    to: rule.to ?? null,
    iif: rule.iif ?? null,
    oif: rule.oif ?? null,
    mark: rule.mark ?? null,
    uids: rule.uids ?? null,
    ipProtocol: rule.protocol ?? null,
    sport: rule.sport ?? null,
    dport: rule.dport ?? null,
    tos: 0,
    suppressPrefixLength: null,
    action: rule.action,
  };
}

function nexthopFact(nexthop: PlanNexthop): NexthopFact {
  const { to } = nexthop;
  return {
    id: nexthop.id,
    family: nexthop.family,
    protocol: protocolKernel,
    blackhole: to.kind === "blackhole",
    dev: to.kind === "dev" ? to.dev : null,
    via: to.kind === "dev" ? to.via : null,
    group: [],
  };
}

function newLink(name: string, links: readonly LinkFact[]): LinkFact {
  return {
    index: Math.max(0, ...links.map((l) => l.index)) + 1,
    name,
    kind: "tun",
    type: 65534,
    up: false,
    carrier: true,
    loopback: false,
    mtu: 1500,
    mac: "",
    master: 0,
    xdp: false,
    clsact: false,
  };
}

function keyOf(route: Pick<PlanRoute, "family" | "table" | "prefix" | "metric">): string {
  return `${route.family} ${route.table} ${route.prefix} ${route.metric}`;
}
