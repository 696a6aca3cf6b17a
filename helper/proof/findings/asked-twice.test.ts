// Found by the model bench (seeds 1064, 1108, 1164): after a refused lookup IPv6 takes any address of the machine and asks
// again with it (ip6_dst_lookup_tail). The plans had a rule `from <outside> lookup <uplink>`: with nft flushed everything
// that the tunnel's stop refused left by the uplink, from every program, bound to nothing. Routing held nothing in IPv6.
import { expect, test } from "vitest";

import type { Address } from "../../contract/prefix.ts";
import { compile } from "../../policy/compile.ts";
import { samplePlans } from "../../policy/sample-plans.ts";
import type { Plan, PlanState } from "../../plan/plan.ts";
import { machine, mainRoutes, packet, uplinks, withRules } from "../ground.ts";
import { prove } from "../prove.ts";
import { walk } from "../walk.ts";

test("a refused IPv6 socket is asked for again with a source, an IPv4 one is not", () => {
  const { machine: m, routes } = machine({
    links: uplinks,
    routes: [...mainRoutes, "::/0 via 2001:db8:1::1 dev va table 60", "default via 192.0.2.1 dev va table 60"],
    rules: [
      ...["-6 100: from 2001:db8:1::/64 lookup 60", "-6 200: unreachable"],
      ...["-4 100: from 192.0.2.2/32 lookup 60", "-4 200: unreachable"],
    ],
  });
  expect(walk(m, packet(routes, { destination: "2001:db8:f::200" as Address })).end).toMatchObject({ kind: "left" });
  expect(walk(m, packet(routes)).end).toEqual({ kind: "refused", errno: "ENETUNREACH" });
});

test("P8: a plain `from` rule in IPv6 lets out what the stop refused once nft is flushed", () => {
  const sample = samplePlans["dual-stack-connected"];
  if (sample?.exit == null) throw new Error("no sample");
  const facts = withRules(sample.facts);
  const plan = (state: PlanState): Plan => {
    const answer = compile({ ...sample, facts, state });
    if (!answer.ok) throw new Error(answer.refusal.code);
    return answer.value;
  };
  const loose = (p: Plan): Plan => ({
    ...p,
    routes: [
      ...p.routes,
      {
        ...{ family: 6, table: 7604, prefix: "::/0" as never, metric: 10 },
        to: { kind: "dev", dev: "wlan0", via: "fe80::1" as Address, onlink: true, src: null },
      },
    ],
    rules: [
      ...p.rules,
      { family: 6, priority: 4110, from: "2001:db8:7:1::/64" as never, action: { kind: "lookup", table: 7604 } },
    ],
  });
  const input = { policy: sample.policy, facts, exit: sample.exit };
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  expect(prove({ ...input, plans }).kind).toBe("proof");
  const before = { ...plans, connecting: loose(plans.connecting) };
  expect(prove({ ...input, plans: before })).toMatchObject({ property: "P8", fault: "nft flushed" });
});
