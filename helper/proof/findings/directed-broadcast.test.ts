// Found by the packet tests: on a real machine table local holds the broadcast address of each network, which no rule of
// ours comes before (kernel finding 7.5). With the local network not allowed the prover asked routing alone to hold packets
// to it and refused every plan. The two nft locks hold them; routing is not asked.
import { expect, test } from "vitest";

import { addressOf, familyOf, networkOf, type Prefix, printAddress, rangeOf } from "../../contract/prefix.ts";
import type { Facts, RouteFact } from "../../plan/facts.ts";
import type { Plan } from "../../plan/plan.ts";
import { compile } from "../../policy/compile.ts";
import { samplePlans } from "../../policy/sample-plans.ts";
import { withRules } from "../ground.ts";
import { prove } from "../prove.ts";

test("P8: with the local network not allowed its broadcast address is no reason to refuse a plan", () => {
  const sample = samplePlans["welcomed-service"];
  if (sample?.exit == null) throw new Error("no sample");
  const policy = { ...sample.policy, lan: { allow: false, approved: [] } };
  const request = { ...sample, policy, facts: withBroadcasts(withRules(sample.facts)) };
  const plan = (state: Plan["state"]): Plan => {
    const answer = compile({ ...request, state });
    if (!answer.ok) throw new Error(answer.refusal.code);
    return answer.value;
  };
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  expect(prove({ policy, facts: request.facts, exit: sample.exit, plans })).toMatchObject({ kind: "proof" });
});

function withBroadcasts(facts: Facts): Facts {
  const own = facts.addresses.filter((a) => familyOf(a.address) === 4 && addressOf(a.address) !== "127.0.0.1");
  const routes = own.map(({ link, address }): RouteFact => {
    const last = printAddress(4, rangeOf(networkOf(address)).last);
    const leg = { dev: link, via: null, onlink: false, weight: 1, linkdown: false, dead: false };
    return {
      ...{ family: 4, table: 255, prefix: `${last}/32` as Prefix, type: "broadcast", metric: 0, protocol: 2 },
      ...{ scope: 253, tos: 0, from: null, src: addressOf(address), nexthop: null, legs: [leg] },
    };
  });
  return { ...facts, routes: [...facts.routes, ...routes] };
}
