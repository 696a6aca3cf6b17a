import { describe, expect, test } from "vitest";

import { parseInterfaceAddress, parsePrefix } from "../contract/prefix.ts";
import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { Operation } from "./diff.ts";
import type { NftMatch, NftTable } from "./nft.ts";
import { printNft, printOperation } from "./print.ts";
import { routeFact, ruleFact } from "./simulate.ts";

describe("steps as commands", () => {
  const to = { kind: "dev", dev: "eth0", via: "192.0.2.1" as Address, onlink: true, src: null } as const;
  const route = { family: 4, table: 7601, prefix: prefix("203.0.113.7/32"), metric: 10, to } as const;
  const six = {
    family: 6,
    table: 7610,
    prefix: prefix("2001:db8::/32"),
    metric: 10,
    to: { kind: "nexthop", id: 7603 },
  } as const;
  const rule = {
    family: 6,
    priority: 4150,
    from: prefix("2001:db8::/64"),
    to: prefix("fd00::1/128"),
    iif: "lo",
    mark: { value: 0xc100_0000, mask: 0xff00_0000 },
    uids: { from: 1000, to: 1000 },
    protocol: 17,
    dport: { from: 53, to: 53 },
    action: { kind: "lookup", table: 7600 },
  } as const;
  const cases: readonly (readonly [Operation, string])[] = [
    [
      { kind: "sysctl.set", key: "net.ipv4.conf.eth0/10.arp_ignore", value: "1" },
      "sysctl -w net.ipv4.conf.eth0/10.arp_ignore=1",
    ],
    [
      { kind: "link.set", name: "culvert0", mtu: 1420, txQueueLen: 500 },
      "ip link set dev culvert0 mtu 1420 txqueuelen 500 up",
    ],
    [{ kind: "link.del", name: "culvert0" }, "ip link del dev culvert0"],
    [
      { kind: "address.add", link: "culvert0", address: inside("10.8.0.2/32") },
      "ip addr add 10.8.0.2/32 dev culvert0 noprefixroute",
    ],
    [{ kind: "address.del", link: "culvert0", address: inside("10.8.0.2/32") }, "ip addr del 10.8.0.2/32 dev culvert0"],
    [
      { kind: "nexthop.replace", nexthop: { id: 7602, family: 4, to: { ...to, kind: "dev" } } },
      "ip nexthop replace id 7602 via 192.0.2.1 dev eth0 onlink proto kernel",
    ],
    [
      { kind: "nexthop.replace", nexthop: { id: 7603, family: 6, to: { kind: "blackhole" } } },
      "ip -6 nexthop replace id 7603 blackhole proto kernel",
    ],
    [{ kind: "nexthop.del", id: 7602 }, "ip nexthop del id 7602"],
    [
      { kind: "route.replace", route },
      "ip route replace 203.0.113.7/32 via 192.0.2.1 dev eth0 onlink table 7601 metric 10 proto kernel",
    ],
    [
      { kind: "route.replace", route: six },
      "ip -6 route replace 2001:db8::/32 nhid 7603 table 7610 metric 10 proto kernel",
    ],
    [
      { kind: "route.replace", route: { ...route, to: { kind: "prohibit" } } },
      "ip route replace prohibit 203.0.113.7/32 table 7601 metric 10 proto kernel",
    ],
    [
      { kind: "route.del", route: routeFact(route) },
      "ip route del 203.0.113.7/32 via 192.0.2.1 dev eth0 table 7601 metric 10",
    ],
    [{ kind: "route.del", route: routeFact(six) }, "ip -6 route del 2001:db8::/32 nhid 7603 table 7610 metric 10"],
    [
      { kind: "rule.add", rule },
      "ip -6 rule add pref 4150 from 2001:db8::/64 to fd00::1/128 iif lo fwmark 0xc1000000/0xff000000 uidrange 1000-1000 ipproto 17 dport 53-53 lookup 7600 protocol kernel",
    ],
    [
      {
        kind: "rule.del",
        rule: { ...ruleFact({ family: 4, priority: 4900, action: { kind: "unreachable" } }), suppressPrefixLength: 0 },
      },
      "ip rule del pref 4900 unreachable suppress_prefixlength 0 protocol kernel",
    ],
  ];
  test.each(cases.map(([op, text]) => [text, op] as const))("%s", (text, op) => {
    expect(printOperation(op)).toBe(text);
  });
});

describe("gates as nft text", () => {
  const one = (match: NftMatch, family: "inet" | "netdev" = "inet") =>
    printNft(table([match], family))
      .split("\n")[2]
      ?.trim();

  test.each<[NftMatch, string]>([
    [{ kind: "iifname", name: "eth0" }, 'iifname "eth0"'],
    [{ kind: "oifname", not: true, name: "eth0" }, 'oifname != "eth0"'],
    [{ kind: "mark", not: true, mask: 0xff00_0000, value: 0xc100_0000 }, "meta mark & 0xff000000 != 0xc1000000"],
    [{ kind: "saddr", not: true, prefix: prefix("192.0.2.0/24") }, "ip saddr != 192.0.2.0/24"],
    [{ kind: "daddr", prefix: prefix("2001:db8::/32") }, "ip6 daddr 2001:db8::/32"],
    [{ kind: "daddr-set", family: 6, set: "rule0_v6" }, "ip6 daddr @rule0_v6"],
    [{ kind: "saddr-set", not: true, family: 4, set: "rule0_v4" }, "ip saddr != @rule0_v4"],
    [{ kind: "family", family: 6 }, "meta nfproto ipv6"],
    [{ kind: "dport", from: 53, to: 53 }, "th dport 53"],
    [{ kind: "sport", from: 1, to: 1023 }, "th sport 1-1023"],
    [{ kind: "icmp-type", family: 4, types: [3, 11] }, "icmp type { 3, 11 }"],
    [{ kind: "hops", family: 4, value: 1 }, "ip ttl 1"],
    [{ kind: "ct-state", states: ["established", "related"] }, "ct state established,related"],
    [{ kind: "fib-daddr-type", not: true, type: "local" }, "fib daddr type != local"],
    [{ kind: "skuid", from: 0, to: 0 }, "meta skuid 0"],
  ])("%j", (match, text) => {
    expect(one(match)).toBe(`${text} accept comment "why"`);
  });

  test("the family is the frame's where there are frames", () => {
    expect(one({ kind: "family", family: 4 }, "netdev")).toBe('meta protocol ip accept comment "why"');
    expect(one({ kind: "arp-saddr", prefix: prefix("192.0.2.1/32") }, "netdev")).toBe(
      'arp saddr ip 192.0.2.1/32 accept comment "why"',
    );
  });

  test("a mark is set under its mask", () => {
    const marked = table([]);
    const verdict = { kind: "set-mark", mask: 0xff00_0000, value: 0xc200_0000 } as const;
    const chains = marked.chains.map((c) => ({ ...c, rules: c.rules.map((r) => ({ ...r, counter: true, verdict })) }));
    expect(printNft({ ...marked, chains })).toContain("counter meta mark set meta mark & 0x00ffffff | 0xc2000000");
  });

  test("a chain stands before the one that jumps to it, whatever order it came in", () => {
    const jump = (chain: string) =>
      ({ note: "on", matches: [], counter: false, verdict: { kind: "jump", chain } }) as const;
    const chains = [
      { name: "a", base: null, rules: [jump("b")] },
      { name: "b", base: null, rules: [jump("c")] },
      { name: "c", base: null, rules: [] },
    ];
    const order = printNft({ ...table([]), chains }).match(/(?<=chain )\w/g);
    expect(order).toEqual(["c", "b", "a"]);
  });

  test("a large set is cut for people and whole for nft", () => {
    const elements = Array.from({ length: 12 }, (_, i) => prefix(`192.0.2.${i * 2}/32`));
    const large: NftTable = { ...table([]), sets: [{ name: "s", type: "ipv4_addr", elements }] };
    expect(printNft(large, { short: true })).toContain("… 4 more");
    expect(printNft(large)).toContain("192.0.2.22/32");
  });
});

function table(matches: readonly NftMatch[], family: "inet" | "netdev" = "inet"): NftTable {
  const rules = [{ note: "why", matches, counter: false, verdict: { kind: "accept" } }] as const;
  return { family, name: "culvert", owned: false, sets: [], chains: [{ name: "c", base: null, rules }] };
}

function prefix(text: string): Prefix {
  return parsePrefix(text) ?? not(text);
}
function inside(text: string): InterfaceAddress {
  return parseInterfaceAddress(text) ?? not(text);
}
function not(text: string): never {
  throw new Error(`not an address: ${text}`);
}
