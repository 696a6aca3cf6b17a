import { expect, test } from "vitest";

import { grant, refuse } from "../contract/refusal.ts";
import type { Address } from "../contract/prefix.ts";
import type { Facts } from "../plan/facts.ts";
import type { Plan } from "../plan/plan.ts";
import { compile } from "../policy/compile.ts";
import { dualStack, node, otherNode, policy, twoUplinks } from "../policy/sample-machines.ts";
import type { ProveInput } from "./live.ts";
import { rememberProofs } from "./proven.ts";

const summary = { at: 1, tookMs: 1, properties: 11, held: 11, classes: 1, states: 1 };

test("what was proven is not proven again, in whatever place it stands", () => {
  const { prove, count } = counted();
  const input = inputFor(dualStack);
  const { connected, locked } = input.plans;
  prove(input);
  prove(input);
  prove({ ...input, plans: { connecting: locked, connected, locked } });
  expect(count()).toBe(1);
});

test("what is ours on the machine asks for no new proof, anything else does", () => {
  const { prove, count } = counted();
  const input = inputFor(dualStack);
  prove(input);
  const rule = { ...dualStack.rules[0], family: 4, priority: 4900, protocol: 2 } as Facts["rules"][number];
  prove({ ...input, facts: { ...dualStack, rules: [...dualStack.rules, rule] } });
  expect(count()).toBe(1);
  prove({ ...input, facts: { ...dualStack, rules: [...dualStack.rules, { ...rule, protocol: 3 }] } });
  prove({ ...input, facts: twoUplinks });
  prove({ ...input, exit: otherNode });
  prove({ ...input, policy: policy({ ipv6: "block" }) });
  const another = { ...input.plans.connected, sysctls: [{ key: "net.ipv4.ip_forward", value: "1" }] };
  prove({ ...input, plans: { ...input.plans, connected: another } });
  prove({ ...input, facts: { ...dualStack, sysctls: { "net.ipv4.ip_forward": "1" } } });
  const asked = { ...dualStack.resolver, ownServers: [{ link: "eth0", servers: ["192.0.2.53" as Address] }] };
  prove({ ...input, facts: { ...dualStack, resolver: asked } });
  expect(count()).toBe(8);
});

test("a refusal is not remembered as a proof", () => {
  let proofs = 0;
  const prove = rememberProofs(() => (proofs++ === 0 ? refuse("plan.leaks") : grant(summary)));
  const input = inputFor(dualStack);
  expect(prove(input).ok).toBe(false);
  expect(prove(input)).toEqual(grant(summary));
});

test("that a gate holds with any routing is remembered of the plan it was said of, in the place it was said for", () => {
  const prove = rememberProofs(() => ({ ...grant(summary), alone: true }));
  const input = inputFor(dualStack);
  const { connected, locked } = input.plans;
  expect(prove(input)).toEqual({ ...grant(summary), alone: true });
  expect(prove(input)).toEqual({ ...grant(summary), alone: true });
  expect(prove({ ...input, plans: { connecting: locked, connected: locked, locked: connected } })).toEqual(
    grant(summary),
  );
});

function counted() {
  let proofs = 0;
  const prove = rememberProofs(() => {
    proofs++;
    return grant(summary);
  });
  return { prove, count: () => proofs };
}

function inputFor(facts: Facts): ProveInput {
  const plan = (state: Plan["state"]): Plan => {
    const compiled = compile({ policy: policy(), facts, exit: node, state });
    if (!compiled.ok) throw new Error(compiled.refusal.code);
    return compiled.value;
  };
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  return { policy: policy(), facts, exit: node, plans };
}
