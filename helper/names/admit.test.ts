import { expect, test } from "vitest";

import type { Name } from "../contract/name.ts";
import { defaultPolicy, type Policy } from "../contract/policy.ts";
import type { Address } from "../contract/prefix.ts";
import { dualStack, node } from "../policy/sample-machines.ts";
import { isAdmitted } from "./admit.ts";

const policy: Policy = {
  ...defaultPolicy,
  rules: [
    { id: "d", name: "", lane: "direct", match: { names: ["bank.example", "corp.example"] as Name[] } },
    { id: "t", name: "", lane: "tunnel", match: { names: ["work.example"] as Name[] } },
  ],
};
const near = { policy, facts: dualStack, exit: node };

test.each([
  "127.0.0.1",
  "::1",
  "169.254.169.254",
  "224.0.0.1",
  "0.0.0.0",
  "::ffff:192.0.2.1",
  "fe80::1",
  "255.255.255.255",
])("%s is no host of the world: no rule has it", (address) => {
  expect(isAdmitted("work.example", address as Address, near)).toBe(false);
});

test("what stands near, carries the tunnel or answers names is nobody's by name", () => {
  const own = dualStack.addresses.filter((a) => a.link !== "lo").map((a) => a.address.slice(0, a.address.indexOf("/")));
  const all = [...own, node.endpoint.address, ...node.dns, ...node.inside.map((a) => a.slice(0, a.indexOf("/")))];
  expect(all.length).toBeGreaterThan(3);
  for (const address of all) expect(isAdmitted("work.example", address as Address, near), address).toBe(false);
});

test("a private address goes into no direct rule, unless the name's own resolver is named", () => {
  const address = "172.30.1.2" as Address;
  expect(isAdmitted("work.example", address, near)).toBe(true);
  expect(isAdmitted("www.bank.example", address, near)).toBe(false);
  const domains = [{ domain: "corp.example" as Name, servers: ["198.51.100.53" as Address] }];
  const split = { ...near, policy: { ...policy, dns: { servers: [], domains } } };
  expect(isAdmitted("git.corp.example", address, split)).toBe(true);
  expect(isAdmitted("bank.example", address, split)).toBe(false);
});

test("a public address is admitted", () => {
  expect(isAdmitted("bank.example", "8.8.8.8" as Address, near)).toBe(true);
});
