import { expect, test } from "vitest";

import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import { wireRules } from "./wire.ts";

const rulesOf = (name: string) => {
  const sample = samplePlans[name];
  if (sample === undefined) throw new Error(`no sample ${name}`);
  const plan = compile(sample);
  if (!plan.ok) throw new Error(plan.refusal.code);
  return wireRules(plan.value, sample.exit);
};

test("the node, the LAN and direct rules may leave; what a rule sends into the tunnel or blocks may not", () => {
  const { uplinks, endpoints, direct } = rulesOf("rules-connected");
  expect(uplinks).toEqual(["wlan0"]);
  expect(endpoints).toEqual([{ address: "203.0.113.7", port: 51_820 }]);
  expect(direct).toEqual(expect.arrayContaining(["192.168.1.0/24", "198.51.100.0/24", "2001:db8:5::/48", "ff02::/16"]));
  for (const other of ["192.0.2.0/24", "198.51.100.128/25", "0.0.0.0/0", "::/0"]) expect(direct).not.toContain(other);
});

test("without the LAN not even its groups may leave", () => {
  expect(rulesOf("lan-off").direct).toEqual([]);
});
