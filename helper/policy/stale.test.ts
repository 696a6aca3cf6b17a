// What is left of a crashed VPN is told with its remedy; what shows any sign of life is left alone.
import { describe, expect, test } from "vitest";

import type { Evidence } from "../plan/evidence.ts";
import type { Facts, LinkFact, RouteFact, RuleFact } from "../plan/facts.ts";
import { diff } from "../plan/diff.ts";
import { ruleFact, simulate } from "../plan/simulate.ts";
import { compile } from "./compile.ts";
import { address, dualStack, machine, pushed, request } from "./sample-machines.ts";
import { staleOf } from "./stale.ts";

const calm: Evidence = { programs: ["systemd", "bash"], silent: [], records: [], remarks: "", standing: false };
const tun = (name: string, carrier: boolean): LinkFact => ({
  ...{ index: 9, name, kind: "tun", type: 65_534, up: true, carrier, loopback: false, mtu: 1500, mac: "", master: 0 },
  ...{ xdp: false, clsact: false },
});
const halves = (dev: string): RouteFact[] => ["0.0.0.0/1", "128.0.0.0/1"].map((p) => pushed(p, dev, "10.8.0.1", 3));
const rule = (priority: number, table: number, more: Partial<RuleFact> = {}): RuleFact => ({
  ...ruleFact({ family: 4, priority, action: { kind: "lookup", table } }),
  protocol: 3,
  ...more,
});
const quick = [
  rule(32_764, 254, { suppressPrefixLength: 0 }),
  rule(32_765, 51_820, { not: true, mark: { value: 51_820, mask: 0xffff_ffff } }),
];
const quickTable = { family: "ip", name: "wg-quick-wg0", owned: false };

function found(part: Partial<Facts>, evidence: Partial<Evidence> = {}): [string, readonly string[]][] {
  return staleOf({ ...dualStack, ...part }, { ...calm, ...evidence }).map((s) => [s.finding.code, s.finding.remedy]);
}
const withRoutes = (...more: RouteFact[]): Partial<Facts> => ({ routes: [...dualStack.routes, ...more] });
const withLink = (link: LinkFact, ...more: RouteFact[]): Partial<Facts> => ({
  links: [...dualStack.links, link],
  ...withRoutes(...more),
});

describe("found, with what would have to go", () => {
  test("rules and nft table of a wg-quick whose link is gone", () => {
    expect(found({ rules: quick, nftTables: [quickTable] })).toEqual([
      [
        "stale.wg-quick",
        [
          "ip rule del pref 32765 not fwmark 0x0000ca6c/0xffffffff lookup 51820 protocol boot",
          "ip rule del pref 32764 lookup 254 suppress_prefixlength 0 protocol boot",
          "nft delete table ip wg-quick-wg0",
        ],
      ],
    ]);
  });

  test("a persistent adapter that nobody holds, with the halves that lead into it", () => {
    const [one] = staleOf({ ...dualStack, ...withLink(tun("tun0", false), ...halves("tun0")) }, calm);
    expect(one?.finding).toMatchObject({
      code: "stale.adapter",
      author: "OpenVPN",
      data: { link: "tun0", takes: "all" },
    });
    expect(one?.finding.remedy.at(-1)).toBe("ip link del dev tun0");
  });

  test("the way to a server outside of a tunnel that is gone", () => {
    expect(found(withRoutes(pushed("203.0.113.50/32", "wlan0", "192.168.1.1", 3)))).toEqual([
      ["stale.host-route", ["ip route del 203.0.113.50/32 via 192.168.1.1 dev wlan0 table 254 metric 0"]],
    ]);
  });

  test("rules and routes of a program that does not run", () => {
    const left = {
      rules: [rule(220, 220)],
      ...withRoutes({ ...pushed("0.0.0.0/0", "wlan0", "192.168.1.1", 4), table: 220 }),
    };
    expect(found(left).map(([code]) => code)).toEqual(["stale.program"]);
    expect(found({ nftTables: [{ family: "inet", name: "mullvad", owned: false }] })).toEqual([
      ["stale.program", ["nft delete table inet mullvad"]],
    ]);
  });

  test("a gateway that is on no network of its link, and one that does not answer", () => {
    expect(found(withRoutes(pushed("0.0.0.0/0", "wlan0", "172.20.0.1", 16, 50))).map(([code]) => code)).toEqual([
      "stale.gateway-gone",
    ]);
    const silent = { silent: [{ link: "wlan0", address: address("192.168.1.9") }] };
    const second = withRoutes(pushed("0.0.0.0/0", "wlan0", "192.168.1.9", 3, 50));
    expect(found(second, silent)).toEqual([
      ["stale.gateway-silent", ["ip route del 0.0.0.0/0 via 192.168.1.9 dev wlan0 table 254 metric 50"]],
    ]);
  });

  test("the only gateway is told when it is silent, but not taken away", () => {
    const silent = { silent: [{ link: "wlan0", address: address("192.168.1.1") }] };
    expect(found({}, silent)).toEqual([["stale.gateway-silent", []]]);
  });

  test("a blackhole that takes everything", () => {
    const hole = { ...pushed("0.0.0.0/0", "lo", null, 3, 1), type: "blackhole", legs: [] } as const;
    expect(found(withRoutes(hole))).toEqual([
      ["stale.blackhole", ["ip route del blackhole 0.0.0.0/0 table 254 metric 1"]],
    ]);
  });

  test("everything of an older run of our own, in every form", () => {
    for (const form of ["table", "metric", "halves", "eighths"] as const) {
      const asked = request(dualStack, "connected");
      const plan = compile({ ...asked, policy: { ...asked.policy, form } });
      if (!plan.ok) throw new Error(plan.refusal.code);
      const crashed = simulate(dualStack, diff(plan.value, dualStack));
      const left = staleOf({ ...crashed, nftTables: [{ family: "inet", name: "culvert", owned: false }] }, calm);
      expect(left.map((s) => s.finding.code)).toEqual(["stale.own"]);
      const operations = left.flatMap((s) =>
        s.remedy.flatMap((r) => (r.kind === "rule.del" || r.kind === "route.del" ? [r] : [])),
      );
      const after = simulate(crashed, operations);
      expect([after.rules, after.routes]).toEqual([dualStack.rules, dualStack.routes]);
    }
  });

  test("servers of a tunnel that is gone", () => {
    const conf = { path: "/etc/resolv.conf", target: null, immutable: false };
    const resolver = (...servers: string[]) => ({
      resolver: { ...dualStack.resolver, resolvConf: { ...conf, servers: servers.map(address) } },
    });
    const remarks = "# Generated by openvpn for tun0";
    expect(found(resolver("10.8.0.1"), { remarks })).toEqual([
      ["stale.names", ["sed -i -e '/^nameserver 10.8.0.1$/d' -e '$a nameserver 192.168.1.1' /etc/resolv.conf"]],
    ]);
    expect(found(resolver("10.8.0.1", "9.9.9.9"), { remarks })).toEqual([
      ["stale.names", ["sed -i -e '/^nameserver 10.8.0.1$/d' /etc/resolv.conf"]],
    ]);
    expect(found({}, { records: ["tun.wg0", "wlan0"] })).toEqual([["stale.names", ["resolvconf -d tun.wg0 -f"]]]);
  });
});

describe("left alone", () => {
  test.each<readonly [string, Partial<Facts>, Partial<Evidence>]>([
    ["a machine without any VPN", {}, {}],
    [
      "wg-quick up",
      {
        ...withLink(
          { ...tun("wg0", true), kind: "wireguard" },
          { ...pushed("0.0.0.0/0", "wg0", null, 3), table: 51_820 },
        ),
        rules: quick,
        nftTables: [quickTable],
      },
      {},
    ],
    [
      "an adapter that somebody holds",
      withLink(tun("tun0", true), ...halves("tun0"), pushed("203.0.113.50/32", "wlan0", "192.168.1.1", 3)),
      {},
    ],
    [
      "a host route while openvpn runs",
      withRoutes(pushed("203.0.113.50/32", "wlan0", "192.168.1.1", 3)),
      { programs: ["openvpn"] },
    ],
    ["a host route that somebody made static", withRoutes(pushed("203.0.113.50/32", "wlan0", "192.168.1.1", 4)), {}],
    ["strongSwan's rule while charon runs", { rules: [rule(220, 220)] }, { programs: ["charon-systemd"] }],
    ["Tailscale's table while its daemon runs", { rules: [rule(5270, 52)] }, { programs: ["tailscaled"] }],
    [
      "an unreachable default under a better one",
      withRoutes({ ...pushed("0.0.0.0/0", "lo", null, 4, 4_278_198_272), type: "unreachable", legs: [] }),
      {},
    ],
    [
      "a gateway that is told to be on link",
      withRoutes({
        ...pushed("0.0.0.0/0", "wlan0", "172.31.1.1", 4, 50),
        legs: [{ dev: "wlan0", via: address("172.31.1.1"), onlink: true, weight: 1, linkdown: false, dead: false }],
      }),
      {},
    ],
    [
      "a resolver behind a second router",
      {
        resolver: {
          ...dualStack.resolver,
          resolvConf: { path: "/etc/resolv.conf", target: null, immutable: false, servers: [address("192.168.100.1")] },
        },
      },
      {},
    ],
  ])("%s", (_name, facts, evidence) => {
    expect(found(facts, evidence)).toEqual([]);
  });

  test("our own while a plan of ours stands", () => {
    const plan = compile(request(dualStack, "connected"));
    if (!plan.ok) throw new Error(plan.refusal.code);
    expect(staleOf(simulate(dualStack, diff(plan.value, dualStack)), { ...calm, standing: true })).toEqual([]);
  });

  test("each finding keeps its id, and no two share one", () => {
    const many = {
      ...withLink(tun("tun0", false), ...halves("tun0"), pushed("0.0.0.0/0", "wlan0", "172.20.0.1", 16, 50)),
      rules: quick,
    };
    const ids = staleOf({ ...dualStack, ...many }, calm).map((s) => s.finding.id);
    expect(ids.length).toBe(3);
    expect(new Set(ids).size).toBe(3);
    expect(staleOf({ ...machine([]), ...dualStack, ...many }, calm).map((s) => s.finding.id)).toEqual(ids);
  });
});
