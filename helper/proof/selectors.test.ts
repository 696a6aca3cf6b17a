// Rules by user, program, port, protocol and source, in their order, in both modes: what the compiler makes of them is
// proven, and a mistake in any of the three locks is found.
import { describe, expect, test } from "vitest";

import type { Policy, PolicyRule } from "../contract/policy.ts";
import type { Plan, PlanState } from "../plan/plan.ts";
import type { NftRule } from "../plan/nft.ts";
import { compile } from "../policy/compile.ts";
import { dockerHost, dualStack, node, policy, prefix } from "../policy/sample-machines.ts";
import { withRules } from "./ground.ts";
import { prove } from "./prove.ts";

const rule = (id: string, lane: PolicyRule["lane"], match: PolicyRule["match"]): PolicyRule => {
  return { id, name: id, match, lane };
};
const web = { protocol: "tcp", ports: [{ from: 443, to: 443 }] } as const;
const curl = { apps: [{ kind: "executable" as const, path: "/usr/bin/curl" }] };

const ways: Readonly<Record<string, Partial<Policy>>> = {
  "a port direct": { rules: [rule("web", "direct", { ...web, ports: [...web.ports] })] },
  "a port of UDP direct": { rules: [rule("game", "direct", { protocol: "udp", ports: [{ from: 3478, to: 3480 }] })] },
  "a protocol direct": { rules: [rule("ping", "direct", { protocol: "icmp" })] },
  "a user direct": { rules: [rule("guest", "direct", { users: [1001] })] },
  "a program direct": { rules: [rule("curl", "direct", curl)] },
  "a source direct": { rules: [rule("containers", "direct", { source: [prefix("172.17.0.0/16")] })] },
  "an exception before a user": {
    rules: [
      rule("bank", "tunnel", { destination: [prefix("198.51.100.0/24"), prefix("2001:db8:5::/48")] }),
      rule("guest", "direct", { users: [1001] }),
    ],
  },
  "a program twice": {
    rules: [
      rule("curl to work", "tunnel", { ...curl, destination: [prefix("198.51.100.0/24")] }),
      rule("curl", "direct", curl),
    ],
  },
  "a program blocked, also in the LAN": { rules: [rule("curl", "block", curl)] },
  "the printer blocked": { rules: [rule("printer", "block", { destination: [prefix("192.168.1.50/32")] })] },
  "only a network": {
    mode: "only",
    rules: [rule("work", "tunnel", { destination: [prefix("10.0.0.0/8"), prefix("2001:db8:5::/48")] })],
  },
  "only a program": { mode: "only", rules: [rule("curl", "tunnel", curl)] },
  "only a user and a port": {
    mode: "only",
    rules: [rule("guest", "tunnel", { users: [1001], ...web, ports: [...web.ports] })],
  },
  "only what an exception leaves": {
    mode: "only",
    rules: [
      rule("canteen", "direct", { destination: [prefix("10.1.2.0/24")] }),
      rule("work", "tunnel", { destination: [prefix("10.0.0.0/8")] }),
    ],
  },
};

describe("the compiler's plan", () => {
  test.each(Object.entries(ways))("%s is proven", (_name, part) => {
    for (const machine of [dualStack, dockerHost]) expect(proven(part, machine)).toMatchObject({ kind: "proof" });
  });
});

describe("a mistake is found", () => {
  const lanes = Object.entries(ways);

  test.each(lanes)("%s: without its rules of routing", (_name, part) => {
    const mine = (r: Plan["rules"][number]): boolean => r.priority >= 4160 && r.priority < 4900 && r.priority !== 4350;
    const without = (plan: Plan): Plan => ({ ...plan, rules: plan.rules.filter((r) => !mine(r)) });
    expect(proven(part, dockerHost, without)).toMatchObject({ kind: "counterexample" });
  });

  test.each(lanes)("%s: without its lines in lock 2", (_name, part) => {
    expect(proven(part, dockerHost, (plan) => drop(plan, "inet"))).toMatchObject({ kind: "counterexample" });
  });

  // a container's source is masqueraded before lock 3 sees it; there lock 2's mark is all there is
  test.each(lanes.filter(([name]) => name !== "a source direct"))("%s: without its lines in lock 3", (_name, part) => {
    expect(proven(part, dualStack, (plan) => drop(plan, "netdev"))).toMatchObject({ kind: "counterexample" });
  });

  test.each(lanes.filter(([, part]) => (part.rules?.length ?? 0) > 1))("%s: its rules swapped", (_name, part) => {
    const [first, second] = part.rules ?? [];
    const swapped = { ...part, rules: [second, first].filter((r) => r !== undefined) };
    expect(proven(part, dualStack, (plan) => plan, swapped)).toMatchObject({ kind: "counterexample" });
  });

  test("a user's rule that forgets what is forwarded", () => {
    const forget = (plan: Plan): Plan => ({
      ...plan,
      rules: plan.rules.map(fromAnywhere),
      nft: plan.nft.map((t) => ({
        ...t,
        chains: t.chains.map((c) => ({ ...c, rules: c.rules.map((r) => open(r, "skuid")) })),
      })),
    });
    expect(proven({ rules: [rule("guest", "direct", { users: [0] })] }, dockerHost, forget)).toMatchObject({
      kind: "counterexample",
    });
  });

  test("marks that confuse two programs", () => {
    const part: Partial<Policy> = {
      rules: [rule("curl", "direct", curl), rule("mail", "block", { apps: [{ kind: "snap", name: "thunderbird" }] })],
    };
    const confuse = (plan: Plan): Plan => {
      const all = plan.apps?.marks.flat().find((mark) => mark !== 0) ?? 0;
      return plan.apps === null
        ? plan
        : { ...plan, apps: { ...plan.apps, marks: plan.apps.marks.map((row) => row.map((m) => (m === 0 ? 0 : all))) } };
    };
    expect(proven(part, dualStack)).toMatchObject({ kind: "proof" });
    expect(proven(part, dualStack, confuse)).toMatchObject({ kind: "counterexample" });
  });
});

function proven(
  part: Partial<Policy>,
  machine: typeof dualStack,
  change: (plan: Plan) => Plan = (plan) => plan,
  compiled: Partial<Policy> = part,
) {
  const facts = withRules({ ...machine, features: { ...machine.features, appMarks: "bpf" } });
  const plan = (state: PlanState): Plan => {
    const exit = state === "off" ? null : node;
    const answer = compile({ policy: policy(compiled), facts, exit, state });
    if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
    return change(answer.value);
  };
  const plans = { connecting: plan("connecting"), connected: plan("connected"), locked: plan("locked") };
  return prove({ policy: policy(part), facts, exit: node, plans });
}

/** Without the lines that a rule of the policy brought. */
function drop(plan: Plan, family: "inet" | "netdev"): Plan {
  const mine = (r: NftRule): boolean => r.note.startsWith("rule ");
  const nft = plan.nft.map((t) =>
    t.family === family ? { ...t, chains: t.chains.map((c) => ({ ...c, rules: c.rules.filter((r) => !mine(r)) })) } : t,
  );
  return { ...plan, nft };
}

function fromAnywhere(rule: Plan["rules"][number]): Plan["rules"][number] {
  const anywhere = { ...rule };
  delete anywhere.iif;
  return anywhere;
}

function open(rule: NftRule, kind: NftRule["matches"][number]["kind"]): NftRule {
  return { ...rule, matches: rule.matches.filter((m) => m.kind !== kind) };
}
