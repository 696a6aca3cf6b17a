import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { parseAddress, parseInterfaceAddress, parsePrefix } from "../contract/prefix.ts";
import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import { diff } from "./diff.ts";
import type { Operation } from "./diff.ts";
import type { Facts, RouteFact, RuleFact } from "./facts.ts";
import { firstSetTable, lastMetric, linkName, markMask, marks, priorities, tables } from "./numbers.ts";
import type { Plan, PlanRoute, PlanRule } from "./plan.ts";
import { routeFact, ruleFact, simulate } from "./simulate.ts";

describe("diff", () => {
  test("a bare machine gets sysctls, link, addresses, nexthops, stops, ways and rules in this order", () => {
    expect(kinds(diff(plan(), bare()))).toEqual([
      "sysctl.set net.ipv4.tcp_syncookies",
      "link.set culvert0",
      "address.add 10.8.0.2/32",
      "nexthop.replace 7604",
      "route.replace unreachable 0.0.0.0/0",
      "route.replace dev 203.0.113.7/32",
      "route.replace dev 0.0.0.0/0",
      "route.replace nexthop 198.51.100.0/24",
      "rule.add 4000",
      "rule.add 4010",
      "rule.add 4900",
      "rule.add 4350",
      "rule.add 4400",
    ]);
  });

  test("what was applied differs in nothing", () => {
    expect(diff(plan(), applied())).toEqual([]);
  });

  test("taking down removes exceptions first, the catch-all after them, and the link last", () => {
    expect(kinds(diff(empty(), applied()))).toEqual([
      "rule.del 4400",
      "rule.del 4350",
      "rule.del 4900",
      "rule.del 4010",
      "rule.del 4000",
      "route.del unreachable 0.0.0.0/0",
      "route.del unicast 203.0.113.7/32",
      "route.del unicast 0.0.0.0/0",
      "route.del unicast 198.51.100.0/24",
      "nexthop.del 7604",
      "link.del culvert0",
    ]);
  });

  test("a rule that changes its selectors is added before the old one goes", () => {
    const wanted = plan();
    const moved = wanted.rules.map((r) => (r.priority === priorities.lan ? { ...r, to: prefix("10.0.0.0/8") } : r));
    expect(kinds(diff({ ...wanted, rules: moved }, applied()))).toEqual(["rule.add 4350", "rule.del 4350"]);
  });

  test("foreign rules, routes and nexthops stay", () => {
    const foreignRule: RuleFact = { ...ruleFact(rule({ priority: 4250 })), protocol: 4 };
    const below: RuleFact = ruleFact(rule({ priority: 3999 }));
    const foreignRoute: RouteFact = { ...routeFact(route({ table: 254 })), protocol: 16 };
    const facts = applied();
    const nexthop = { id: 7650, family: 4, protocol: 4, blackhole: true, dev: null, via: null, group: [] } as const;
    const machine: Facts = {
      ...facts,
      rules: [...facts.rules, foreignRule, below],
      routes: [...facts.routes, foreignRoute],
      nexthops: [...facts.nexthops, nexthop, { ...nexthop, id: 12, protocol: 2 }],
    };
    expect(diff(plan(), machine)).toEqual([]);
  });

  test("a route somebody put into our table goes, whatever its protocol", () => {
    const facts = applied();
    const better: RouteFact = { ...routeFact(route({ table: tables.tunnel, metric: 1 })), protocol: 16 };
    const steps = diff(plan(), { ...facts, routes: [...facts.routes, better] });
    expect(steps).toEqual([{ kind: "route.del", route: better }]);
  });

  test("a route of ours that another protocol, tos or source owns is laid again", () => {
    const facts = applied();
    for (const part of [
      { protocol: 4 },
      { tos: 16 },
      { from: prefix("192.0.2.0/24") },
      { src: address("192.0.2.1") },
    ]) {
      const routes = facts.routes.map((r) => (r.table === tables.engine ? { ...r, ...part } : r));
      expect(kinds(diff(plan(), { ...facts, routes }))).toEqual(["route.replace dev 203.0.113.7/32"]);
    }
  });

  test("of two routes under one key only the unwanted one goes", () => {
    const facts = applied();
    const [wanted] = facts.routes.filter((r) => r.table === tables.engine);
    if (wanted === undefined) throw new Error("no engine route");
    const twin: RouteFact = { ...wanted, legs: wanted.legs.map((leg) => ({ ...leg, dev: "wlan0" })) };
    expect(diff(plan(), { ...facts, routes: [twin, ...facts.routes] })).toEqual([{ kind: "route.del", route: twin }]);
  });

  test("a rule of ours that says more than the plan can is replaced", () => {
    const facts = applied();
    const rules = facts.rules.map((r) => (r.priority === priorities.catchAll ? { ...r, suppressPrefixLength: 0 } : r));
    expect(kinds(diff(plan(), { ...facts, rules }))).toEqual(["rule.add 4900", "rule.del 4900"]);
  });

  test("a lost MTU, a link set down and a changed sysctl are mended", () => {
    const facts = applied();
    const links = facts.links.map((l) => (l.name === linkName ? { ...l, up: false } : l));
    const steps = diff(plan(), { ...facts, links, sysctls: { "net.ipv4.tcp_syncookies": "0" } });
    expect(kinds(steps)).toEqual(["sysctl.set net.ipv4.tcp_syncookies", "link.set culvert0"]);
  });

  test("an address of ours with another length or owner is set right", () => {
    const facts = applied();
    const addresses = facts.addresses.map((a) => ({ ...a, address: inside("10.8.0.3/32") }));
    expect(kinds(diff(plan(), { ...facts, addresses }))).toEqual([
      "address.add 10.8.0.2/32",
      "address.del 10.8.0.3/32",
    ]);
  });

  test("from any machine and any plan, one round of steps leaves nothing to do", () => {
    fc.assert(
      fc.property(anyPlan(), anyPlan(), (first, second) => {
        const once = simulate(bare(), diff(first, bare()));
        expect(diff(first, once)).toEqual([]);
        const twice = simulate(once, diff(second, once));
        expect(diff(second, twice)).toEqual([]);
        const gone = simulate(twice, diff(empty(), twice));
        expect({ ...gone, sysctls: {} }).toEqual({ ...bare(), sysctls: {} });
      }),
      { numRuns: 300 },
    );
  });

  test("while exceptions stand, so does the catch-all, at every step between any two plans", () => {
    fc.assert(
      fc.property(fc.option(anyPlan(), { nil: empty() }), fc.option(anyPlan(), { nil: empty() }), (first, second) => {
        let machine = simulate(bare(), diff(first, bare()));
        for (const step of diff(second, machine)) {
          machine = simulate(machine, [step]);
          const own = machine.rules.map((r) => r.priority);
          const exceptions = own.some((p) => p > priorities.engineStop && p < priorities.catchAll);
          expect(!exceptions || own.includes(priorities.catchAll)).toBe(true);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("100,000 prefixes are compared without quadratic loops", () => {
    const many = Array.from({ length: 100_000 }, (_, i) =>
      route({ table: firstSetTable, prefix: prefix(`${1 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.0/24`) }),
    );
    const wanted = { ...plan(), routes: many };
    const steps = diff(wanted, bare());
    expect(steps.filter((s) => s.kind === "route.replace")).toHaveLength(100_000);
    expect(diff(wanted, simulate(bare(), steps))).toEqual([]);
  }, 20_000);
});

function kinds(steps: readonly Operation[]): string[] {
  return steps.map((s) => {
    switch (s.kind) {
      case "sysctl.set":
        return `${s.kind} ${s.key}`;
      case "link.set":
      case "link.del":
        return `${s.kind} ${s.name}`;
      case "address.add":
      case "address.del":
        return `${s.kind} ${s.address}`;
      case "nexthop.replace":
        return `${s.kind} ${s.nexthop.id}`;
      case "nexthop.del":
        return `${s.kind} ${s.id}`;
      case "route.replace":
        return `${s.kind} ${s.route.to.kind} ${s.route.prefix}`;
      case "route.del":
        return `${s.kind} ${s.route.type} ${s.route.prefix}`;
      case "rule.add":
      case "rule.del":
        return `${s.kind} ${s.rule.priority}`;
    }
  });
}

function plan(): Plan {
  const lookup = (table: number) => ({ kind: "lookup", table }) as const;
  return {
    state: "connected",
    order: "gate-last",
    link: { name: linkName, mtu: 1420, txQueueLen: 500, addresses: [inside("10.8.0.2/32")] },
    nexthops: [{ id: 7604, family: 4, to: { kind: "dev", dev: "eth0", via: address("192.0.2.1"), onlink: true } }],
    routes: [
      route({ table: tables.engine, prefix: prefix("203.0.113.7/32") }),
      route({ table: tables.tunnel, to: { kind: "dev", dev: linkName, via: null, onlink: false, src: null } }),
      route({ table: firstSetTable, prefix: prefix("198.51.100.0/24"), to: { kind: "nexthop", id: 7604 } }),
      route({ table: tables.tunnel, metric: lastMetric, to: { kind: "unreachable" } }),
    ],
    rules: [
      rule({
        priority: priorities.engine,
        mark: { value: marks.engine, mask: markMask },
        action: lookup(tables.engine),
      }),
      rule({ priority: priorities.engineStop, mark: { value: marks.engine, mask: markMask } }),
      rule({ priority: priorities.lan, action: lookup(tables.lan) }),
      rule({ priority: priorities.firstPolicy, action: lookup(firstSetTable) }),
      rule({ priority: priorities.catchAll, action: lookup(tables.tunnel) }),
    ],
    nft: [],
    sysctls: [{ key: "net.ipv4.tcp_syncookies", value: "1" }],
    dns: null,
    apps: null,
  };
}

function empty(): Plan {
  const none = { link: null, nexthops: [], routes: [], rules: [], nft: [], sysctls: [], dns: null, apps: null };
  return { state: "off", order: "gate-last", ...none };
}

/** Any subset of the full plan with some of its values changed; the catch-all is always there. */
function anyPlan(): fc.Arbitrary<Plan> {
  const full = plan();
  const variant = (r: PlanRoute, i: number): PlanRoute =>
    i === 0 ? r : { ...r, to: i === 1 ? { kind: "blackhole" } : { kind: "prohibit" } };
  return fc
    .record({
      routes: fc.array(fc.tuple(fc.nat(full.routes.length - 1), fc.nat(2))),
      rules: fc.array(fc.nat(full.rules.length - 1)),
      shift: fc.nat(5),
      mtu: fc.constantFrom(1280, 1420),
      link: fc.boolean(),
    })
    .map(({ routes, rules, shift, mtu, link }): Plan => {
      const byKey = new Map<string, PlanRoute>();
      for (const [place, kind] of routes) {
        const chosen = full.routes[place];
        if (chosen !== undefined) byKey.set(`${chosen.table} ${chosen.prefix} ${chosen.metric}`, variant(chosen, kind));
      }
      const chosen = full.rules.filter((r, i) => rules.includes(i) || r.priority === priorities.catchAll);
      const moved = chosen.map((r) => (r.priority === priorities.lan ? { ...r, priority: r.priority + shift } : r));
      const adapter = link && full.link !== null ? { ...full.link, mtu } : null;
      const laid = [...byKey.values()].filter((r) => adapter !== null || r.to.kind !== "dev" || r.to.dev !== linkName);
      return { ...full, routes: laid, rules: moved, link: adapter, sysctls: [] };
    });
}

function applied(): Facts {
  return simulate(bare(), diff(plan(), bare()));
}

function bare(): Facts {
  return {
    links: [],
    addresses: [],
    routes: [],
    rules: [],
    nexthops: [],
    nftTables: [],
    sysctls: {},
    resolver: {
      resolvedRunning: false,
      resolvconf: "none",
      resolvConf: { path: "/etc/resolv.conf", target: null, servers: [], immutable: false },
    },
    features: { ipv6: true, tun: true, nft: true, owner: true, devicePrefix: true, nexthops: true, appMarks: "none" },
    others: [],
    hostName: "test",
  };
}

function route(part: Partial<PlanRoute>): PlanRoute {
  const to = { kind: "dev", dev: "eth0", via: address("192.0.2.1"), onlink: true, src: null } as const;
  return { family: 4, table: tables.engine, prefix: prefix("0.0.0.0/0"), metric: 10, to, ...part };
}

function rule(part: Partial<PlanRule>): PlanRule {
  return { family: 4, priority: priorities.lan, action: { kind: "unreachable" }, ...part };
}

function address(text: string): Address {
  return parseAddress(text) ?? fail(text);
}
function prefix(text: string): Prefix {
  return parsePrefix(text) ?? fail(text);
}
function inside(text: string): InterfaceAddress {
  return parseInterfaceAddress(text) ?? fail(text);
}
function fail(text: string): never {
  throw new Error(`not an address: ${text}`);
}
