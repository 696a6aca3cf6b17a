import { describe, expect, test } from "vitest";

import type { Name } from "../contract/name.ts";
import type { PolicyRule } from "../contract/policy.ts";
import type { ResolverFact } from "../plan/facts.ts";
import type { PlanDns } from "../plan/plan.ts";
import { compile } from "./compile.ts";
import { upstreamBy } from "./dns.ts";
import { address, dualStack, laptop, node, nodeWithoutIpv6, policy, request } from "./sample-machines.ts";

describe("names", () => {
  test("systemd-resolved is told where resolv.conf leads to it", () => {
    expect(dns({})).toMatchObject({ by: "resolved", link: "culvert0", servers: ["10.64.0.1"] });
    const stub = { target: null, servers: [address("127.0.0.53")] };
    expect(dns({ resolvConf: { ...file, ...stub } })).toMatchObject({ by: "resolved" });
  });

  test("a running systemd-resolved that nobody asks is passed over", () => {
    expect(dns({ resolvConf: file })).toMatchObject({ by: "file", path: "/etc/resolv.conf" });
    expect(dns({ resolvConf: file, resolvconf: "openresolv" })).toMatchObject({ by: "resolvconf" });
  });

  test("Debian's resolvconf is told only where resolv.conf leads to its file", () => {
    expect(dns({ resolvConf: file, resolvconf: "debian" })).toMatchObject({ by: "file" });
    const led = { ...file, target: "../run/resolvconf/resolv.conf" };
    expect(dns({ resolvConf: led, resolvconf: "debian" })).toMatchObject({ by: "resolvconf" });
  });

  test("an immutable resolv.conf is left alone", () => {
    expect(dns({ resolvedRunning: false, resolvConf: { ...file, immutable: true } })).toBeNull();
  });

  test("policy's servers stand in for the node's", () => {
    const servers = [address("9.9.9.9")];
    const answer = compile(request(laptop, "connected", { policy: policy({ dns: { servers } }) }));
    expect(answer.ok && answer.value.dns?.servers).toEqual(servers);
  });

  test("a server of a family that is not carried is none, and without any the plan says none", () => {
    const both = { ...nodeWithoutIpv6, dns: [address("10.64.0.1"), address("fd00:64::1")] };
    const answer = compile(request(dualStack, "connected", { exit: both }));
    expect(answer.ok && answer.value.dns?.servers).toEqual(["10.64.0.1"]);
    const none = compile(request(dualStack, "connected", { exit: { ...node, dns: [] } }));
    expect(none.ok && none.value.dns).toBeNull();
  });

  test("names are changed when the tunnel carries, kept while it is locked, and left alone before", () => {
    const by = (state: "connecting" | "connected" | "locked") => {
      const answer = compile(request(laptop, state));
      return answer.ok ? (answer.value.dns?.by ?? null) : null;
    };
    expect([by("connecting"), by("connected"), by("locked")]).toEqual([null, "resolved", "resolved"]);
  });
});

test("a direct program's names are asked of the uplink's resolver, but those that a rule names as everybody's are", () => {
  const rule: PolicyRule = {
    id: "n",
    name: "n",
    match: { names: ["*.example.org" as string as Name] },
    lane: "direct",
  };
  const facts = { ...laptop, resolver: { ...laptop.resolver, resolvConf: file } };
  const asked = (name: string | null) =>
    upstreamBy("direct", { policy: policy({ rules: [rule] }), exit: node, facts }, name).map(({ by }) => by);
  expect(asked("www.example.com")).toEqual(["direct"]);
  expect(asked("www.example.org")).toEqual(node.dns.map(() => "inside"));
});

const file: ResolverFact["resolvConf"] = {
  path: "/etc/resolv.conf",
  target: null,
  servers: [address("192.168.1.1")],
  immutable: false,
};

function dns(part: Partial<ResolverFact>): PlanDns | null {
  const facts = { ...laptop, resolver: { ...laptop.resolver, ...part } };
  const answer = compile(request(facts, "connected"));
  if (!answer.ok) throw new Error(answer.refusal.code);
  return answer.value.dns;
}
