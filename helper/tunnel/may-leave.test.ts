import { expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { PlanState } from "../plan/plan.ts";
import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import { goesDirect, mayLeave } from "./may-leave.ts";

test("the node, the LAN and direct rules may leave; what a rule sends into the tunnel or blocks may not", () => {
  const { links, allowed } = leavingOf("rules-connected");
  expect(links).toEqual([{ device: "wlan0", link: "wlan0" }]);
  expect(allowed.endpoints).toEqual([{ address: "203.0.113.7", port: 51_820 }]);
  expect(allowed.lan).toContainEqual({ link: "wlan0", prefix: "192.168.1.0/24" });
  const direct = (address: string) => goesDirect(allowed, address as Address, { protocol: 17, port: 9 });
  expect(direct("192.168.1.9")).toBe(true);
  expect(direct("198.51.100.9")).toBe(true);
  expect(direct("198.51.100.200")).toBe(false);
  expect(direct("8.8.8.8")).toBe(false);
});

test("a rule for one protocol or for some ports lets nothing else out", () => {
  const { allowed } = leavingOf("lan-off");
  const https = { direct: true, to: null, protocol: 6, ports: [[443, 443]] as const, marked: false };
  const direct = (protocol: number, port: number) =>
    goesDirect({ ...allowed, lanes: [https] }, "8.8.8.8" as Address, { protocol, port });
  expect([direct(6, 443), direct(17, 443), direct(6, 80)]).toEqual([true, false, false]);
});

test("while connecting no rule leaves yet", () => {
  const { allowed } = leavingOf("rules-connecting");
  expect(allowed.lanes.filter((lane) => lane.direct)).toEqual([]);
});

test("without the LAN only neighbours may be looked for", () => {
  const { allowed } = leavingOf("lan-off");
  expect(allowed.lan).toEqual([]);
  expect(allowed.near.length).toBeGreaterThan(0);
});

test("with IPv6 blocked no lane lets it out", () => {
  const { allowed } = leavingOf("ipv6-blocked");
  expect(allowed.lanes[0]).toMatchObject({ direct: false, to: ["::/0"] });
});

function leavingOf(name: string) {
  const sample = samplePlans[name];
  if (sample?.exit == null) throw new Error(`no sample ${name}`);
  const plan = compile({ ...sample, state: sample.state satisfies PlanState });
  if (!plan.ok) throw new Error(plan.refusal.code);
  return mayLeave(plan.value, sample.exit, sample.policy, sample.facts);
}
