// The gate that stands while nothing else does, the kill switch from boot on: proven of every sample, and a hole is found.
import { expect, test } from "vitest";

import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import type { NftChain, NftRule } from "../plan/nft.ts";
import type { Plan } from "../plan/plan.ts";
import { withRules } from "./ground.ts";
import { proveRest } from "./prove.ts";

const samples = Object.entries(samplePlans);

test.each(samples)("%s at rest is proven", (name) => {
  expect(proven(name)).toMatchObject({ kind: "held" });
});

test.each([
  [
    "without lock 2's last word",
    "inet",
    (c: NftChain) => c.name === "output",
    (r: NftRule) => r.verdict.kind !== "drop",
  ],
  [
    "without lock 3's last word",
    "netdev",
    (c: NftChain) => c.name === "egress",
    (r: NftRule) => r.verdict.kind !== "drop",
  ],
  ["with ARP cut off", "netdev", () => true, (r: NftRule) => !r.note.startsWith("ARP")],
  ["without the direct lane in lock 2", "inet", () => true, (r: NftRule) => r.note !== "rule bank: direct"],
  ["without the LAN", "inet", () => true, (r: NftRule) => r.note !== "LAN: on-link and honoured"],
] as const)("a gate at rest %s is refused", (_what, family, chosen, kept) => {
  const broken = (plan: Plan): Plan => ({
    ...plan,
    nft: plan.nft.map((t) =>
      t.family === family
        ? { ...t, chains: t.chains.map((c) => (chosen(c) ? { ...c, rules: c.rules.filter(kept) } : c)) }
        : t,
    ),
  });
  expect(proven("rules-off-from-boot", broken)).toMatchObject({ kind: "counterexample", state: "off" });
});

test("names of programs that go another lane are refused at rest, for nobody answers them", () => {
  const unjudged = (plan: Plan): Plan => ({
    ...plan,
    nft: plan.nft.map((t) => ({
      ...t,
      chains: t.chains.map((c) => ({ ...c, rules: c.rules.filter((r) => r.note !== "names of programs") })),
    })),
  });
  expect(proven("names-by-lane-only")).toMatchObject({ kind: "held" });
  expect(proven("names-by-lane-only", unjudged)).toMatchObject({ kind: "counterexample", property: "P3" });
});

function proven(name: string, change: (plan: Plan) => Plan = (plan) => plan) {
  const sample = samplePlans[name];
  if (sample === undefined) throw new Error(`no sample ${name}`);
  const input = { policy: { ...sample.policy, killSwitch: "boot" as const }, facts: withRules(sample.facts) };
  const answer = compile({ ...input, exit: null, state: "off" });
  if (!answer.ok) throw new Error(answer.refusal.code);
  return proveRest(input, change(answer.value));
}
