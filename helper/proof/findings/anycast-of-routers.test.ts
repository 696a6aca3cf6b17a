// Found by the packet tests: a machine that forwards IPv6, as container engines make it, holds the anycast address of each
// network's routers in table local (RFC 4291, 2.6.1), which no rule of ours comes before. The prover asked routing alone to
// hold packets to it, and no policy could be connected there. The two nft locks hold them; routing is not asked.
import { expect, test } from "vitest";

import { addressOf, familyOf, networkOf, type Prefix } from "../../contract/prefix.ts";
import type { Facts, RouteFact } from "../../plan/facts.ts";
import type { Plan } from "../../plan/plan.ts";
import { compile } from "../../policy/compile.ts";
import { samplePlans } from "../../policy/sample-plans.ts";
import { withRules } from "../ground.ts";
import { prove } from "../prove.ts";

test("P8: the anycast address of a network's routers is no reason to refuse a plan", () => {
  const sample = samplePlans["dual-stack-connected"];
  if (sample?.exit == null) throw new Error("no sample");
  const facts = withAnycast(withRules(sample.facts));
  expect(facts.routes.filter((r) => r.type === "anycast")).not.toEqual([]);
  const plan = (state: Plan["state"]): Plan => {
    const answer = compile({ ...sample, facts, state });
    if (!answer.ok) throw new Error(answer.refusal.code);
    return answer.value;
  };
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  expect(prove({ policy: sample.policy, facts, exit: sample.exit, plans })).toMatchObject({ kind: "proof" });
});

function withAnycast(facts: Facts): Facts {
  const own = facts.addresses.filter((a) => familyOf(a.address) === 6 && a.link !== "lo");
  const routes = own.map(({ link, address }): RouteFact => {
    const leg = { dev: link, via: null, onlink: false, weight: 1, linkdown: false, dead: false };
    return {
      ...{
        family: 6,
        table: 255,
        prefix: `${addressOf(networkOf(address))}/128` as Prefix,
        type: "anycast",
        metric: 0,
      },
      ...{ protocol: 2, scope: 0, tos: 0, from: null, src: null, nexthop: null, legs: [leg] },
    };
  });
  return { ...facts, routes: [...facts.routes, ...routes] };
}
