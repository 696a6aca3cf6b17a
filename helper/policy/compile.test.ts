import { describe, expect, test } from "vitest";

import { printPlan } from "../plan/print.ts";
import type { Plan, PlanRoute } from "../plan/plan.ts";
import { firstMetric, linkName, tables } from "../plan/numbers.ts";
import { compile } from "./compile.ts";
import type { Request } from "./ground.ts";
import { samplePlans } from "./sample-plans.ts";
import {
  address,
  direct,
  dockerHost,
  dualStack,
  hostile,
  inside,
  laptop,
  machine,
  node,
  policy,
  prefix,
  pushed,
  request,
  twoUplinks,
} from "./sample-machines.ts";

describe("golden plans", () => {
  test.each(Object.entries(samplePlans))("%s", async (name, sample) => {
    await expect(printPlan(plan(sample))).toMatchFileSnapshot(`golden/${name}.txt`);
  });
});

describe("compile", () => {
  test("off is nothing at all", () => {
    const off = plan(request(dualStack, "off", { exit: null }));
    const nothing = { link: null, nexthops: [], routes: [], rules: [], nft: [], sysctls: [], dns: null, apps: null };
    expect(off).toEqual({ state: "off", order: "gate-last", ...nothing });
  });

  test("no route that a network pushed into main reaches our tables (TunnelVision)", () => {
    const laid = plan(request(hostile, "connected")).routes;
    const theirs = ["0.0.0.0/1", "128.0.0.0/1", "198.51.100.0/24", "2001:db8::/32"];
    expect(laid.filter((r) => theirs.includes(r.prefix))).toEqual([]);
  });

  test("an on-link prefix that is public or oversized is honoured only once approved (TunnelCrack)", () => {
    const lanOf = (sample: Request) => plan(sample).routes.filter((r) => r.table === tables.lan && r.family === 4);
    expect(lanOf(request(hostile, "connected"))).toEqual([]);
    const approved = policy({ lan: { allow: true, approved: [prefix("128.0.0.0/1")] } });
    expect(lanOf(request(hostile, "connected", { policy: approved })).map((r) => r.prefix)).toEqual([
      "128.0.0.0/1",
      // approval covers what lies in it
      "198.51.100.0/24",
    ]);
  });

  test("a whole /8 on-link is oversized even though it is private", () => {
    const wide = machine([{ name: "eth0", addresses: ["10.1.2.3/8"], gateways: ["10.0.0.1"] }]);
    expect(plan(request(wide, "connected")).routes.filter((r) => r.table === tables.lan)).toEqual([]);
  });

  test("the engine's table has the endpoint's host route alone, best uplink first", () => {
    const engine = plan(request(twoUplinks, "connected")).routes.filter((r) => r.table === tables.engine);
    expect(engine.map((r) => [r.prefix, dev(r), r.metric])).toEqual([
      ["203.0.113.7/32", "eth0", firstMetric],
      ["203.0.113.7/32", "wlan0", firstMetric + 1],
    ]);
  });

  test("a node on the machine's own link is reached without the gateway", () => {
    const exit = { ...node, endpoint: { ...node.endpoint, address: address("192.0.2.7") } };
    const engine = plan(request(twoUplinks, "connected", { exit })).routes.filter((r) => r.table === tables.engine);
    expect(engine.map((r) => r.to)).toEqual([{ kind: "dev", dev: "eth0", via: null, onlink: false, src: null }]);
  });

  test("copies of on-link routes carry no source", () => {
    const routes = plan(request(twoUplinks, "connected")).routes;
    expect(routes.filter((r) => r.to.kind === "dev" && r.to.src !== null)).toEqual([]);
  });

  test("an unreachable rule ends the rules of IPv6 and never stands unmarked in IPv4 (B, E)", () => {
    for (const sample of Object.values(samplePlans)) {
      const { rules, state } = plan(sample);
      if (state === "off" || sample.policy.form !== "table" || sample.policy.mode === "only") continue;
      const stops = rules.filter((r) => r.action.kind !== "lookup" && Object.keys(r).length === 3);
      const six = rules.some((r) => r.family === 6);
      expect(stops.map((r) => [r.family, r.priority])).toEqual(six ? [[6, 4910]] : []);
    }
  });

  test("without an inside IPv6 address nothing of IPv6 is routed into the tunnel", () => {
    const exits = [
      { ...node, inside: [inside("10.64.0.2/32")] },
      { ...node, mtu: 1200 },
    ];
    for (const exit of exits) {
      const six = plan(request(dualStack, "connected", { exit })).routes.filter((r) => r.family === 6);
      expect(six.filter((r) => dev(r) === linkName)).toEqual([]);
      expect(six).toContainEqual(expect.objectContaining({ table: tables.tunnel, to: { kind: "unreachable" } }));
    }
  });

  test("a node that carries some prefixes gets those, and the rest is unreachable", () => {
    const exit = { ...node, allowedIps: [prefix("10.0.0.0/8"), prefix("172.20.0.0/16")] };
    const catchAll = plan(request(laptop, "connected", { exit })).routes.filter((r) => r.table === tables.tunnel);
    expect(catchAll.map((r) => [r.prefix, r.to.kind])).toEqual([
      ["0.0.0.0/0", "unreachable"],
      ["10.0.0.0/8", "dev"],
      ["172.20.0.0/16", "dev"],
    ]);
  });

  test("locked, the catch-all is unreachable and the engine may still reach its node", () => {
    const { routes } = plan(request(dualStack, "locked"));
    expect(routes.filter((r) => r.table === tables.tunnel).map((r) => r.to.kind)).toEqual([
      "unreachable",
      "unreachable",
    ]);
    expect(routes.filter((r) => r.table === tables.engine)).toHaveLength(1);
  });

  test("locking succeeds without uplink, without adapter and beside another VPN", () => {
    const bare = { ...machine([]), others: [{ name: "Mullvad", evidence: "mark 0x6d6f6c65", excludes: true }] };
    const locked = plan(request(bare, "locked"));
    expect(locked.link).toBeNull();
    expect(locked.nft).toHaveLength(2);
    expect(plan(request(machine([]), "locked", { exit: null })).nft).toHaveLength(2);
  });

  test("the MTU is the node's, or what the outer headers leave, and never below IPv6's least", () => {
    const mtu = (sample: Request) => plan(sample).link?.mtu;
    expect(mtu(request(laptop, "connected"))).toBe(1440);
    expect(mtu(request(laptop, "connected", { exit: { ...node, mtu: 1380 } }))).toBe(1380);
    const narrow = machine([{ name: "wwan0", mtu: 1300, addresses: ["192.0.2.9/32"], gateways: ["192.0.2.1"] }]);
    expect(mtu(request(narrow, "connected"))).toBe(1280);
    const exit = { ...node, endpoint: { address: address("2001:db8:ffff::7"), port: 51820 } };
    expect(mtu(request(dualStack, "connected", { exit }))).toBe(1420);
  });

  test("a set of 100,000 direct prefixes points at one nexthop object and stays one table", () => {
    const many = Array.from({ length: 100_000 }, (_, i) => `${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.7`);
    const large = plan(request(laptop, "connected", { policy: policy({ rules: [direct("many", ...many)] }) }));
    expect(large.nexthops).toHaveLength(1);
    expect(large.routes.filter((r) => r.to.kind === "nexthop")).toHaveLength(100_000);
    expect(large.sysctls).toContainEqual({ key: "net.ipv4.nexthop_compat_mode", value: "0" });
  });

  test("what of a direct rule lies on a link of the machine is reached there, never by a gateway", () => {
    const rules = [direct("near", "192.168.0.0/16", "192.0.2.64/26"), direct("far", "198.51.100.0/24")];
    const off = policy({ rules, lan: { allow: false, approved: [] } });
    const laid = plan(request(twoUplinks, "connected", { policy: off })).routes.filter((r) => r.table === 7610);
    expect(laid.map((r) => [r.prefix, dev(r), r.to.kind === "dev" ? r.to.via : null])).toEqual([
      ["192.0.2.64/26", "eth0", null],
      ["192.168.1.0/24", "wlan0", null],
      ["192.168.0.0/16", "eth0", "192.0.2.1"],
      ["192.168.0.0/16", "wlan0", "192.168.1.1"],
    ]);
  });

  test("IPv6 rules are stopped by rules, and large sets by a blackhole that outlives lo (B, C)", () => {
    const lane = (lane: "tunnel" | "block", count: number) => {
      const destination = Array.from({ length: count }, (_, i) => prefix(`2001:db8:${(2 * i).toString(16)}::/48`));
      const rules = [{ id: "six", name: "six", match: { destination }, lane }];
      return plan(request(dualStack, "connected", { policy: policy({ rules }) }));
    };
    const stops = (p: Plan) => p.rules.filter((r) => r.to !== undefined).map((r) => [r.priority, r.action.kind]);
    const kinds = (p: Plan) => [...new Set(p.routes.filter((r) => r.table === 7610).map((r) => r.to.kind))];
    expect([stops(lane("block", 1)), kinds(lane("block", 1))]).toEqual([[[4401, "prohibit"]], []]);
    expect([stops(lane("tunnel", 1)), kinds(lane("tunnel", 1))]).toEqual([
      [[4401, "unreachable"]],
      ["unreachable", "dev"],
    ]);
    expect([stops(lane("block", 40)), kinds(lane("block", 40))]).toEqual([[], ["nexthop"]]);
    expect([stops(lane("tunnel", 40)), kinds(lane("tunnel", 40))]).toEqual([[], ["nexthop", "dev"]]);
    expect(lane("tunnel", 40).nexthops).toEqual([{ id: 7604, family: 6, to: { kind: "blackhole" } }]);
  });

  test("ARP asks for neighbours, and an address that is alone in its prefix announces itself", () => {
    const rented = machine([{ name: "eth0", addresses: ["192.0.2.9/32"], gateways: ["198.51.100.1"] }]);
    // Linux lays no route for an IPv4 address of full length
    const facts = { ...rented, routes: rented.routes.filter((r) => r.prefix !== "192.0.2.9/32") };
    const lines = plan(request(facts, "connected")).nft.flatMap((t) => t.chains.flatMap((c) => c.rules));
    const asked = lines.flatMap((r) => r.matches).flatMap((m) => (m.kind === "arp-daddr" ? [m.prefix] : []));
    expect(asked).toEqual(["198.51.100.1/32", "192.0.2.9/32"]);
  });

  test("tunnel sets have a twin under them, or a lost adapter would hand them to the next rule (D)", () => {
    const work = { ...direct("work", "198.51.100.0/24"), lane: "tunnel" as const };
    const laid = plan(request(laptop, "connected", { policy: policy({ rules: [work] }) })).routes;
    expect(laid.filter((r) => r.table === 7610).map((r) => r.to.kind)).toEqual(["unreachable", "dev"]);
  });

  test("names asked of a node's resolver that the LAN claims go into the tunnel all the same", () => {
    const lan = machine([{ name: "eth0", addresses: ["10.64.0.77/30", "10.64.0.200/25"], gateways: ["10.64.0.129"] }]);
    const exit = { ...node, dns: [address("10.64.0.130")] };
    const asked = plan(request(lan, "connected", { exit })).rules.filter((r) => r.to === "10.64.0.130/32");
    expect(asked.map((r) => [r.priority, r.protocol, r.dport?.from])).toEqual([
      [4150, 17, 53],
      [4150, 6, 53],
      [4150, 17, 853],
      [4150, 6, 853],
    ]);
  });

  test("containers are a part of the machine: their bridge is honoured also when the LAN is not", () => {
    const off = policy({ lan: { allow: false, approved: [] } });
    const lan = plan(request(dockerHost, "connected", { policy: off })).routes.filter((r) => r.table === tables.lan);
    expect(lan.map((r) => r.prefix)).toEqual(["172.17.0.0/16", "fe80::/64"]);
  });

  test("a bridge with a physical port is a network and not a part of the machine", () => {
    const bridged = machine([
      { name: "eth0", addresses: ["192.168.1.23/24"], gateways: ["192.168.1.1"] },
      { name: "br0", kind: "bridge", addresses: ["172.17.0.1/16"] },
      { name: "eth1", master: "br0" },
    ]);
    const off = policy({ lan: { allow: false, approved: [] } });
    expect(plan(request(bridged, "connected", { policy: off })).routes.filter((r) => r.table === tables.lan)).toEqual(
      [],
    );
  });
});

describe("refusals", () => {
  test.each([
    ["no uplink", request(machine([]), "connecting"), "machine.no-uplink"],
    [
      "no way to the endpoint's family",
      request(laptop, "connecting", {
        exit: { ...node, endpoint: { ...node.endpoint, address: address("2001:db8::7") } },
      }),
      "machine.no-route",
    ],
    [
      "the inside address lies in the LAN",
      request(laptop, "connecting", { exit: at("192.168.1.99/32") }),
      "machine.address-clash",
    ],
    [
      "the inside address is the machine's own",
      request(laptop, "connecting", { exit: at("192.168.1.23/32") }),
      "machine.address-clash",
    ],
    [
      "another VPN that takes everything",
      request({ ...laptop, others: [{ name: "Nym", evidence: "mark 0x14d", excludes: true }] }, "connecting"),
      "machine.other-vpn",
    ],
    [
      "a program where no kernel marks its sockets",
      request(laptop, "locked", {
        policy: policy({
          rules: [{ id: "a", name: "a", match: { apps: [{ kind: "snap", name: "a" }] }, lane: "direct" }],
        }),
      }),
      "policy.unsupported",
    ],
    [
      "ports of a protocol that has none",
      request(laptop, "connecting", {
        policy: policy({
          rules: [{ id: "a", name: "a", match: { protocol: "icmp", ports: [{ from: 7, to: 7 }] }, lane: "block" }],
        }),
      }),
      "policy.contradiction",
    ],
    [
      "a rule of more combinations than routing should carry",
      request(laptop, "connecting", {
        policy: policy({
          rules: [
            {
              ...{ id: "a", name: "a", lane: "direct" },
              match: {
                users: Array.from({ length: 60 }, (_, i) => 1000 + 2 * i),
                ports: Array.from({ length: 60 }, (_, i) => ({ from: 1 + 2 * i, to: 1 + 2 * i })),
              },
            },
          ],
        }),
      }),
      "policy.unsupported",
    ],
    [
      "more rules than tables",
      request(laptop, "connecting", {
        policy: policy({ rules: Array.from({ length: 91 }, (_, i) => direct(`r${i}`, "192.0.2.0/24")) }),
      }),
      "policy.unsupported",
    ],
  ])("%s", (_name, sample, code) => {
    const answer = compile(sample);
    expect(answer.ok ? "granted" : answer.refusal.code).toBe(code);
  });

  test("a pushed half of the internet is no uplink", () => {
    const halves = machine(
      [{ name: "eth0", addresses: ["192.168.1.23/24"] }],
      [pushed("0.0.0.0/1", "eth0", "192.168.1.1", 16)],
    );
    const answer = compile(request(halves, "connecting"));
    expect(answer.ok ? "granted" : answer.refusal.code).toBe("machine.no-uplink");
  });
});

function at(text: string): typeof node {
  return { ...node, inside: [inside(text)] };
}

function plan(sample: Request): Plan {
  const answer = compile(sample);
  if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
  return answer.value;
}

function dev(route: PlanRoute): string | null {
  return route.to.kind === "dev" ? route.to.dev : null;
}
