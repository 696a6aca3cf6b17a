import { describe, expect, test } from "vitest";

import type { Policy } from "../contract/policy.ts";
import { notes, printNote } from "./lint.ts";
import {
  direct,
  dualStack,
  hostile,
  laptop,
  machine,
  node,
  nodeWithoutIpv6,
  policy,
  prefix,
  request,
} from "./sample-machines.ts";

describe("notes", () => {
  const said = (...args: Parameters<typeof request>) => notes(request(...args)).map(printNote);

  test("an ordinary machine and node need none", () => {
    expect(said(laptop, "connected")).toEqual(["ipv6.blocked"]);
    const plain = machine([{ name: "eth0", addresses: ["192.168.1.23/24", "fe80::23/64"], gateways: ["192.168.1.1"] }]);
    expect(said(plain, "connected")).toEqual([]);
  });

  test("an nft that cannot read the lock on every device is named, where there is that lock", () => {
    const heard = (nftTool: string, devicePrefix = true) =>
      said({ ...dualStack, features: { ...dualStack.features, nftTool, devicePrefix } }, "connected");
    for (const old of ["0.9.8", "1.0.6", "1.1", "1.1.5"]) expect(heard(old)).toContain("nft.old");
    for (const fresh of ["1.1.6", "1.2.0", "2.0", "1.1.10"]) expect(heard(fresh)).not.toContain("nft.old");
    expect(heard("1.0.6", false)).not.toContain("nft.old");
    expect(said(dualStack, "connected")).not.toContain("nft.old");
  });

  test("an on-link claim that waits for approval is named with its link", () => {
    expect(said(hostile, "connected")).toContain("lan.unapproved link=wlan0 prefix=128.0.0.0/1");
    const allow = policy({ lan: { allow: true, approved: [prefix("128.0.0.0/1")] } });
    expect(said(hostile, "connected", { policy: allow })).toEqual([]);
  });

  test("a rule that the LAN or an earlier rule takes everything from is named", () => {
    const rules: Policy["rules"] = [
      direct("home", "192.168.0.0/16"),
      direct("bank", "198.51.100.0/24"),
      { id: "late", name: "late", match: { destination: [prefix("198.51.100.7/32")] }, lane: "block" },
    ];
    const heard = said(laptop, "connected", { policy: policy({ rules }) });
    expect(heard).toContain("rule.behind-lan rule=home prefix=192.168.1.0/24");
    expect(heard).toContain("rule.dead rule=late");
    expect(heard).not.toContain("rule.dead rule=bank");
  });

  test("what the node does not carry is said", () => {
    expect(said(dualStack, "connected", { exit: nodeWithoutIpv6 })).toContain("ipv6.blocked");
    const off = { ...dualStack, features: { ...dualStack.features, ipv6Off: true } };
    expect(said(off, "connected")).toContain("ipv6.off");
    const some = { ...node, allowedIps: [prefix("10.0.0.0/8"), prefix("::/1"), prefix("8000::/1")] };
    expect(said(dualStack, "connected", { exit: some })).toContain("exit.partial family=4");
    expect(said(dualStack, "connected", { exit: some })).not.toContain("exit.partial family=6");
    expect(said(dualStack, "connected", { exit: { ...node, dns: [] } })).toContain("dns.none");
  });

  test("an immutable resolv.conf that nothing else answers for is said", () => {
    const { resolver } = laptop;
    const resolvConf = { ...resolver.resolvConf, target: null, servers: [], immutable: true };
    const stuck = { ...laptop, resolver: { ...resolver, resolvedRunning: false, resolvConf } };
    expect(said(stuck, "connected")).toContain("dns.immutable");
  });

  test("foreign rules before ours and a VPN beside ours are said", () => {
    const [rule] = [
      { family: 4, priority: 100, protocol: 4, not: false, from: null, to: null, iif: null, oif: null } as const,
    ];
    const rest = {
      mark: null,
      uids: null,
      ipProtocol: null,
      sport: null,
      dport: null,
      tos: 0,
      suppressPrefixLength: null,
    };
    const facts = {
      ...laptop,
      rules: [{ ...rule, ...rest, action: { kind: "lookup", table: 52 } } as const],
      others: [{ name: "Tailscale", evidence: "table 52", excludes: false }],
    };
    expect(said(facts, "connected")).toEqual(
      expect.arrayContaining(["rule.foreign family=4 priority=100", "vpn.beside name=Tailscale"]),
    );
  });
});
