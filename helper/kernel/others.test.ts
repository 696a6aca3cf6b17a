import { describe, expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import type { LinkFact, RouteFact, RuleFact } from "../plan/facts.ts";
import { ruleFact } from "../plan/simulate.ts";
import type { Reading } from "./native.ts";
import { othersOf } from "./others.ts";

const none: Reading = { links: [], addresses: [], routes: [], rules: [], nexthops: [] };

describe("another VPN is named by what it leaves in the kernel", () => {
  test.each([
    ["a bare machine", {}, []],
    ["Tailscale", { rules: [lookup(5270, 52)] }, [["Tailscale", false]]],
    [
      "Tailscale with an exit node",
      { rules: [lookup(5270, 52)], routes: [route("0.0.0.0/0", "tailscale0", 52)] },
      [["Tailscale", true]],
    ],
    ["Mullvad", { rules: [{ ...lookup(5000, 0x6d6f_6c65), not: true }] }, [["Mullvad VPN", true]]],
    [
      "wg-quick",
      {
        links: [link("wg0", "wireguard")],
        rules: [{ ...lookup(32_765, 51_820), not: true, mark: { value: 51_820, mask: 0xffff_ffff } }],
        routes: [route("0.0.0.0/0", "wg0", 51_820)],
      },
      [["wg0", true]],
    ],
    [
      "OpenVPN with two halves in main",
      { links: [link("tun0", "tun")], routes: [route("0.0.0.0/1", "tun0"), route("128.0.0.0/1", "tun0")] },
      [["tun0", true]],
    ],
    [
      "halves into an adapter that nobody holds, a crashed VPN's",
      {
        links: [{ ...link("tun0", "tun"), carrier: false }],
        routes: [route("0.0.0.0/1", "tun0"), route("128.0.0.0/1", "tun0")],
      },
      [],
    ],
    ["a tunnel to one network", { links: [link("tun0", "tun")], routes: [route("10.0.0.0/8", "tun0")] }, []],
    ["our own adapter", { links: [link("culvert0", "tun")], routes: [route("0.0.0.0/0", "culvert0", 7600)] }, []],
  ] as const)("%s", (_name, reading, expected) => {
    const others = othersOf({ ...none, ...reading }, []);
    expect(others.map((o) => [o.name, o.excludes])).toEqual(expected);
    for (const other of others) expect(other.evidence).not.toBe("");
  });

  test("a wg-quick whose engine is a program ends by wg-quick, which knows of its rules", () => {
    const reading = {
      links: [link("wg0", "tun")],
      rules: [{ ...lookup(32_765, 51_820), not: true, mark: { value: 51_820, mask: 0xffff_ffff } }],
      routes: [route("0.0.0.0/0", "wg0", 51_820)],
    };
    expect(othersOf({ ...none, ...reading }, []).map((o) => o.remedy)).toEqual(["wg-quick down wg0"]);
    const halves = [route("0.0.0.0/1", "tun0"), route("128.0.0.0/1", "tun0")];
    expect(othersOf({ ...none, links: [link("tun0", "tun")], routes: halves }, []).map((o) => o.remedy)).toEqual([
      "ip link del tun0",
    ]);
  });

  test("by its nft table alone", () => {
    expect(othersOf(none, [{ family: "inet", name: "mullvad", flags: 0, owner: null }])).toEqual([
      { name: "Mullvad VPN", evidence: "nft table inet mullvad", excludes: true, remedy: "mullvad disconnect" },
    ]);
  });
});

function lookup(priority: number, table: number): RuleFact {
  return ruleFact({ family: 4, priority, action: { kind: "lookup", table } });
}

function route(prefix: string, dev: string, table = 254): RouteFact {
  return {
    ...{ family: 4, table, prefix: prefix as Prefix, type: "unicast", metric: 0, protocol: 3, scope: 0, tos: 0 },
    ...{ from: null, src: null, nexthop: null },
    legs: [{ dev, via: null, onlink: false, weight: 1, linkdown: false, dead: false }],
  };
}

function link(name: string, kind: string): LinkFact {
  const plain = { type: 65_534, up: true, carrier: true, loopback: false, mtu: 1420, mac: "", master: 0 };
  return { ...plain, index: 7, name, kind, xdp: false, clsact: false };
}
