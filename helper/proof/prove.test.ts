// The prover against a small plan written by hand that keeps every promise, and against holes cut into it, two at least
// for each property. Were the prover to pass one of them, it would pass the same mistake in a compiled plan.
import { expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { NftMatch } from "../plan/nft.ts";
import { linkName, priorities, tables } from "../plan/numbers.ts";
import {
  accept,
  both,
  chainOf,
  daddr,
  drop,
  inChain,
  input,
  of,
  out,
  plan,
  withRoute,
  type Change,
} from "./hand-plan.ts";
import { prove, type Counterexample } from "./prove.ts";

const loose: NftMatch = { kind: "ip-option", option: "lsrr" };
const isLoose = (match: NftMatch): boolean => match.kind === "ip-option" && match.option === "lsrr";

test("a plan that keeps every promise is proven, with its counts", () => {
  const proof = prove(input());
  expect(proof).toMatchObject({ kind: "proof", properties: 11, held: 11 });
  if (proof.kind !== "proof") return;
  expect(proof.classes).toBeGreaterThan(100);
  expect(proof.states).toBeGreaterThan(36);
  expect(proof.limits).toContain("af-xdp");
  expect(proof.alone).toEqual(["connecting", "connected", "locked"]);
});

test.each<[string, string, Change]>([
  [
    "P1",
    "output and egress both let UDP out to anywhere",
    both((rules) => [accept({ kind: "protocol", protocol: 17 }), ...rules]),
  ],
  [
    "P1",
    "raw frames to anywhere pass egress",
    inChain("egress", (rules) => [accept({ kind: "family", family: 4 }), ...rules]),
  ],
  [
    "P1",
    "source-routed packets are not dropped",
    both((rules) => rules.filter((r) => !r.matches.some((m) => m.kind === "hdrlength" || isLoose(m)))),
  ],
  [
    "P1",
    "source-routed packets are told by their option in lock 3, which sees none there",
    inChain("egress", (rules) =>
      rules.map((r) => (r.matches.some((m) => m.kind === "hdrlength") ? { ...r, matches: [loose] } : r)),
    ),
  ],
  [
    "P2",
    "the engine's rule is missing and its packets end at the stop",
    (plan) => ({ ...plan, rules: plan.rules.filter((r) => r.priority !== priorities.engine) }),
  ],
  [
    "P2",
    "the engine's packets reach the catch-all",
    (plan) =>
      chainOf({ ...plan, rules: plan.rules.filter((r) => r.mark === undefined) }, "output", (rules) => [
        accept({ kind: "oifname", name: linkName }),
        ...rules,
      ]),
  ],
  [
    "P3",
    "queries to the local router are let out",
    both((rules) => rules.filter((r) => !r.matches.some((m) => m.kind === "dport" && m.from === 53))),
  ],
  [
    "P3",
    "queries to a direct prefix are let out by TLS",
    both((rules) => rules.filter((r) => !r.matches.some((m) => m.kind === "dport" && m.from === 853))),
  ],
  [
    "P4",
    "the local network goes by the gateway",
    withRoute(tables.lan, (route) => ({
      ...route,
      to: { kind: "dev", dev: "eth0", via: "192.168.1.1" as Address, onlink: true, src: null },
    })),
  ],
  [
    "P5",
    "the catch-all is missing",
    (plan) => ({ ...plan, rules: plan.rules.filter((r) => r.priority !== priorities.catchAll || r.family !== 6) }),
  ],
  [
    "P5",
    "direct prefixes are sent into the tunnel",
    (plan) => ({ ...plan, rules: plan.rules.filter((r) => r.priority !== priorities.firstPolicy) }),
  ],
  [
    "P6",
    "answers to callers are not let out",
    inChain("output", (rules) => rules.filter((r) => !r.matches.some((m) => m.kind === "ct-direction"))),
  ],
  [
    "P6",
    "strangers get in to any service",
    inChain("input", (rules) => [accept({ kind: "iifname", name: "eth0" }, of(6)), ...rules]),
  ],
  [
    "P6",
    "answers look for their way in the tunnel",
    (plan) => ({ ...plan, rules: plan.rules.filter((r) => r.priority !== priorities.outside) }),
  ],
  ["P7", "prerouting is open for the inside address", inChain("prerouting", () => [])],
  [
    "P7",
    "ARP names the inside address",
    inChain("egress", (rules) => [accept({ kind: "ethertype", type: 0x0806 }), ...rules]),
  ],
  ["P8", "lock 2 lets UDP out to anywhere", inChain("output", (rules) => [accept(of(17)), ...rules])],
  [
    "P8",
    "lock 2 lets IPv6 out to anywhere, and IPv6 has no stop",
    (plan) =>
      chainOf({ ...plan, rules: plan.rules.filter((r) => r.priority !== priorities.stop) }, "output", (rules) => [
        accept({ kind: "family", family: 6 }),
        ...rules,
      ]),
  ],
  ["P1", "lock 3 is gone altogether", (plan) => ({ ...plan, nft: plan.nft.filter((t) => t.family === "inet") })],
  ["P8", "lock 2 is gone altogether", (plan) => ({ ...plan, nft: plan.nft.filter((t) => t.family === "netdev") })],
  [
    "P9",
    "connecting lays routes before it closes the gate",
    (plan) => (plan.state === "connecting" ? { ...plan, order: "gate-last" } : plan),
  ],
  [
    "P9",
    "locking lays routes before it closes the gate",
    (plan) => (plan.state === "locked" ? { ...plan, order: "gate-last" as const, nft: plan.nft } : plan),
  ],
  [
    "P10",
    "what others send to a blocked network is forwarded into the tunnel",
    (plan) =>
      chainOf(
        {
          ...plan,
          rules: plan.rules.map((r) => (r.priority === priorities.firstPolicy + 1 ? { ...r, iif: "lo" } : r)),
        },
        "forward",
        () => [accept(out(linkName)), drop()],
      ),
  ],
  [
    "P10",
    "the node reaches the local network through here",
    inChain("forward", (rules) => [
      accept({ kind: "iifname", name: linkName }, of(1), daddr("192.168.1.0/24")),
      ...rules,
    ]),
  ],
])("%s: %s", (property, _what, change) => {
  const found = prove(input(change));
  expect(found.kind).toBe("counterexample");
  expect((found as Counterexample).property).toBe(property);
});

test("P11: a plan for Off that leaves anything behind is none", () => {
  const off = { ...plan("locked"), state: "off" as const };
  expect(prove({ ...input(), plans: { ...input().plans, off } })).toMatchObject({
    kind: "counterexample",
    property: "P11",
  });
});
