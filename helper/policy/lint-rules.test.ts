import { describe, expect, test } from "vitest";

import type { Name } from "../contract/name.ts";
import type { Policy, PolicyMatch, PolicyRule } from "../contract/policy.ts";
import type { Address } from "../contract/prefix.ts";
import { notes, printNote } from "./lint.ts";
import { dualStack, policy, prefix, request } from "./sample-machines.ts";

const rule = (id: string, lane: PolicyRule["lane"], match: PolicyMatch = {}): PolicyRule => ({
  id,
  name: id,
  match,
  lane,
});
const to = (...prefixes: string[]): PolicyMatch => ({ destination: prefixes.map(prefix) });
const port = (from: number, to_ = from): PolicyMatch => ({ ports: [{ from, to: to_ }] });
const firefox = { kind: "executable", path: "/usr/bin/firefox" } as const;
const ssh = { kind: "executable", path: "/usr/bin/ssh" } as const;

function said(rules: PolicyRule[], change: Partial<Policy> = {}): readonly string[] {
  return notes(request(dualStack, "connected", { policy: policy({ ...change, rules }) }))
    .map(printNote)
    .filter((line) => line.startsWith("rule."));
}

const bank = rule("bank", "direct", to("198.51.100.0/24"));

describe("rules that never decide", () => {
  test.each<[string, PolicyRule[], string[]]>([
    ["a part of an earlier one", [bank, rule("late", "block", to("198.51.100.7/32"))], ["rule.dead rule=late"]],
    [
      "two halves before it",
      [
        rule("low", "direct", to("198.51.100.0/25")),
        rule("high", "block", to("198.51.100.128/25")),
        rule("late", "block", to("198.51.100.0/24")),
      ],
      ["rule.dead rule=late"],
    ],
    ["the same said otherwise", [bank, { ...bank, id: "late", lane: "block" }], ["rule.contradicts rule=late by=bank"]],
    ["the same said again", [bank, { ...bank, id: "late" }], ["rule.twice rule=late by=bank"]],
    [
      "a port of a protocol that goes before",
      [rule("udp", "block", { protocol: "udp" }), rule("late", "direct", { ...port(5000), protocol: "udp" })],
      ["rule.dead rule=late"],
    ],
    [
      "a user's host after the user",
      [
        rule("anna", "block", { users: [1001, 1002] }),
        rule("late", "direct", { users: [1001], ...to("198.51.100.7/32") }),
      ],
      ["rule.dead rule=late"],
    ],
    [
      "one of two programs",
      [rule("both", "direct", { apps: [firefox, ssh] }), rule("late", "tunnel", { apps: [ssh] })],
      ["rule.dead rule=late"],
    ],
    [
      "one host of a source",
      [
        rule("lan", "block", { source: [prefix("10.0.0.0/8")] }),
        rule("late", "direct", { source: [prefix("10.1.0.0/16")] }),
      ],
      ["rule.dead rule=late"],
    ],
    [
      "two families",
      [rule("mixed", "direct", { source: [prefix("10.0.0.0/8")], ...to("2001:db8::/32") })],
      ["rule.no-family rule=mixed"],
    ],
    [
      "a user who sends from elsewhere",
      [rule("far", "direct", { source: [prefix("198.18.0.0/15")], users: [1001] })],
      ["rule.not-here rule=far"],
    ],
    ["this machine itself", [rule("self", "block", to("127.0.0.53/32", "::1/128"))], ["rule.itself rule=self"]],
  ])("%s", (_, rules, expected) => {
    expect(said(rules)).toEqual(expected);
  });

  test("IPv6 only, while IPv6 is blocked", () => {
    const six = rule("six", "direct", to("2001:db8:5::/48"));
    expect(said([six], { ipv6: "block" })).toEqual(["rule.ipv6-blocked rule=six"]);
    expect(said([six])).toEqual([]);
  });

  test("an earlier rule that asks for more than the destination takes nothing from a later one that does not", () => {
    const others: PolicyMatch[] = [
      { users: [1001] },
      { apps: [firefox] },
      { protocol: "udp" },
      { source: [prefix("10.0.0.0/8")] },
      port(5000, 5001),
    ];
    for (const narrow of others) expect(said([rule("first", "block", narrow), bank])).toEqual([]);
  });

  test("a block of a program holds on the local network as well, of which a direct rule before it says nothing", () => {
    expect(said([rule("both", "direct", { apps: [firefox, ssh] }), rule("late", "block", { apps: [ssh] })])).toEqual(
      [],
    );
  });

  test("what is said of the local network counts, though a wide rule before it covers the same", () => {
    const wide = rule("wide", "block", to("192.168.0.0/16"));
    const printer = rule("printer", "tunnel", to("192.168.1.20/32"));
    expect(said([wide, printer])).toEqual(["rule.behind-lan rule=wide prefix=192.168.1.0/24"]);
  });
});

test("what holds anyway is idle, unless it keeps packets from a later rule of another lane", () => {
  const tunnel = rule("tunnel", "tunnel", to("198.51.100.0/25"));
  expect(said([tunnel])).toEqual(["rule.idle rule=tunnel"]);
  expect(said([tunnel, bank])).toEqual([]);
  expect(said([bank], { mode: "only" })).toEqual(["rule.idle rule=bank"]);
});

describe("rules that open more than their author may think", () => {
  test.each<[string, PolicyMatch, string[]]>([
    ["everything", {}, ["rule.opens-all rule=it"]],
    ["half of the internet", to("0.0.0.0/1"), ["rule.opens-all rule=it"]],
    ["the web", { protocol: "tcp", ...port(443) }, ["rule.opens-web rule=it"]],
    ["all of TCP", { protocol: "tcp" }, ["rule.opens-web rule=it"]],
    ["questions for names", port(1, 1000), ["rule.opens-names rule=it"]],
    ["a port of everybody", { protocol: "udp", ...port(3478) }, ["rule.opens-port rule=it"]],
    ["root", { users: [0] }, ["rule.opens-system rule=it"]],
    ["a program's web", { apps: [firefox], protocol: "tcp", ...port(443) }, []],
    ["the web of one host", { ...to("198.51.100.7/32"), protocol: "tcp", ...port(443) }, []],
    ["a user", { users: [1001] }, []],
  ])("%s", (_, match, expected) => {
    expect(said([rule("it", "direct", match)])).toEqual(expected);
    expect(said([rule("it", "block", match)])).toEqual([]);
  });
});

describe("rules by name", () => {
  const by = (...names: string[]): PolicyMatch => ({ names: names as Name[] });
  test.each<[string, PolicyRule[], string[]]>([
    ["stand as they are", [rule("it", "direct", by("bank.example"))], []],
    [
      "never decide behind a wider name",
      [rule("wide", "block", by("*.example.com", "a.example")), rule("late", "direct", by("www.example.com"))],
      ["rule.dead rule=late"],
    ],
    [
      "decide what a star leaves to them",
      [rule("wide", "block", by("*.example.com")), rule("late", "direct", by("example.com"))],
      [],
    ],
    [
      "contradict the same said before",
      [rule("one", "block", by("a.example")), rule("late", "direct", by("a.example"))],
      ["rule.contradicts rule=late by=one"],
    ],
    [
      "never decide behind a rule for everything",
      [rule("all", "block", port(443)), rule("late", "direct", { ...by("a.example"), ...port(443) })],
      ["rule.dead rule=late"],
    ],
    ["of a top-level domain are wide", [rule("it", "direct", by("*.com"))], ["rule.wide-name rule=it"]],
  ])("%s", (_what, rules, notes_) => {
    expect(said(rules)).toEqual(notes_);
  });
  test("that share an address between two lanes are named", () => {
    const names = [
      { name: "a.example", addresses: ["203.0.113.1" as Address] },
      { name: "b.example", addresses: ["203.0.113.1" as Address] },
    ];
    const rules = [rule("one", "direct", by("a.example")), rule("two", "tunnel", by("b.example"))];
    const lines = notes(request({ ...dualStack, names }, "connected", { policy: policy({ rules }) })).map(printNote);
    expect(lines).toContain("names.shared address=203.0.113.1 name=b.example other=a.example");
    expect(lines.filter((line) => line.startsWith("rule."))).toEqual(["rule.idle rule=two"]);
  });

  test("of programs are said to go as everybody's where nobody can tell whose they are", () => {
    const apps = [{ kind: "executable", path: "/usr/bin/curl" }] as const;
    const can = { ...dualStack.features, appMarks: "bpf", redirects: true } as const;
    const lines = (lane: "direct" | "tunnel", features: typeof dualStack.features, resolver: object = {}) => {
      const facts = { ...dualStack, features, resolver: { ...dualStack.resolver, ...resolver } };
      const rules = [rule("one", lane, { apps: [...apps] })];
      const all = notes(request(facts, "connected", { policy: policy({ rules }) })).map(printNote);
      return all.filter((line) => line.startsWith("names."));
    };
    expect(lines("direct", can, { ownServers: [{ link: null, servers: ["192.0.2.53"] }] })).toEqual([]);
    expect(lines("direct", can, { ownServers: [], asksForAll: "nss-resolve" })).toEqual([
      "names.for-all by=nss-resolve",
      "names.nobody-direct",
    ]);
    expect(lines("direct", { ...can, redirects: false })).toContain("names.not-led");
    expect(lines("tunnel", can, { asksForAll: "nscd" })).toEqual([]);
  });
});
