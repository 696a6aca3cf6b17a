import { describe, expect, test } from "vitest";

import type { Name } from "../contract/name.ts";
import { defaultPolicy, type Policy } from "../contract/policy.ts";
import type { Address, Prefix } from "../contract/prefix.ts";
import type { NameFact } from "./facts.ts";
import { bindNames, rulesOf } from "./names.ts";

const names = (...all: string[]): Name[] => all as Name[];
const policy: Policy = {
  ...defaultPolicy,
  rules: [
    { id: "a", name: "", lane: "direct", match: { names: names("www.bank.example"), ports: [{ from: 443, to: 443 }] } },
    { id: "b", name: "", lane: "block", match: { names: names("bank.example", "*.ads.example") } },
    {
      id: "c",
      name: "",
      lane: "direct",
      match: { names: names("x.example"), destination: ["192.0.2.0/24"] as Prefix[] },
    },
    { id: "d", name: "", lane: "tunnel", match: { destination: ["198.51.100.0/24"] as Prefix[] } },
  ],
};
const known: NameFact[] = [
  { name: "www.bank.example", addresses: ["203.0.113.1", "2001:db8::1"] as Address[] },
  { name: "bank.example", addresses: ["203.0.113.2"] as Address[] },
  { name: "ads.example", addresses: ["203.0.113.3"] as Address[] },
  { name: "x.example", addresses: ["203.0.113.4"] as Address[] },
];

describe("a policy bound to what names were answered with", () => {
  test("has the addresses of each name in every rule that means it, so the first match decides by packet", () => {
    expect(bindNames(policy, { names: known }).rules.map((r) => r.match.destination)).toEqual([
      ["203.0.113.1/32", "2001:db8::1/128"],
      ["203.0.113.1/32", "2001:db8::1/128", "203.0.113.2/32"],
      ["192.0.2.0/24", "203.0.113.4/32"],
      ["198.51.100.0/24"],
    ]);
    expect(rulesOf(policy, "www.bank.example")).toEqual([0, 1]);
  });
  test("matches nothing by a name that nobody asked for", () => {
    expect(bindNames(policy, {}).rules[0]?.match.destination).toEqual([]);
  });
  test("has its lists, and a list alone as it is", () => {
    const id = "0".repeat(64);
    const list = ["192.0.2.0/24", "2001:db8::/32"] as Prefix[];
    const [plain] = policy.rules;
    if (plain === undefined) throw new Error("no rule");
    const two: Policy = {
      ...policy,
      rules: [
        { ...plain, match: { lists: [id] } },
        { ...plain, match: { lists: [id], names: names("www.bank.example") } },
      ],
    };
    const [alone, both] = bindNames(two, { names: known, lists: { [id]: list } }).rules;
    expect(alone?.match.destination).toBe(list);
    expect(both?.match.destination).toEqual([...list, "203.0.113.1/32", "2001:db8::1/128"]);
  });
  test.each([
    ["direct", []],
    ["tunnel", ["0.0.0.0/0", "::/0"]],
    ["block", ["0.0.0.0/0", "::/0"]],
  ] as const)("opens nothing by a list that was lost: %s", (lane, destination) => {
    const rule = { id: "a", name: "", lane, match: { lists: ["1".repeat(64)] } };
    expect(bindNames({ ...policy, rules: [rule] }, {}).rules[0]?.match.destination).toEqual(destination);
  });
  test("is the same value for the same facts, and itself without rules by name", () => {
    expect(bindNames(policy, { names: known })).toBe(bindNames(policy, { names: known }));
    expect(bindNames(bindNames(policy, { names: known }), { names: known })).toBe(bindNames(policy, { names: known }));
    expect(bindNames(defaultPolicy, { names: known })).toBe(defaultPolicy);
  });
});
