// What the scripted helper says of a policy: its plan, whether that would leak, what this helper cannot do, whom it would
// cut off. Just enough of a compiler for the window to be driven through each answer.
import type { Result } from "../../../helper/contract/message.ts";
import type { Policy } from "../../../helper/contract/policy.ts";
import type { Prefix } from "../../../helper/contract/prefix.ts";
import { grant, refuse, type Answer } from "../../../helper/contract/refusal.ts";
import type { ProofSummary } from "../../../helper/contract/status.ts";
import type { Checked, CounterexampleTold } from "../../../helper/contract/verdict.ts";
import { address, type Scenario } from "./scenarios.ts";

export function planOf(draft: Policy, { cannot = [] }: Scenario): Answer<Result<"plan">> {
  for (const rule of draft.rules) {
    const field = cannot.find((name) => rule.match[name] !== undefined);
    if (field !== undefined) return refuse("policy.unsupported", { rule: rule.id, with: field });
  }
  const wide = draft.rules.find(
    (rule) => rule.lane === "direct" && rule.match.destination?.includes("0.0.0.0/0" as Prefix) === true,
  );
  if (wide !== undefined)
    return refuse("plan.leaks", { property: "P1", packet: "udp to 192.0.2.1 port 53", way: wide.name });
  const lines = draft.rules.map(
    (rule, i) => `ip rule add priority ${4200 + i} to ${rule.match.destination?.[0] ?? "any"} lookup ${rule.lane}`,
  );
  return grant({ text: ["ip link add culvert0 type tun", ...lines, "nft -f culvert.nft"].join("\n"), notes: [] });
}

export function checkOf(draft: Policy, saved: Policy, scenario: Scenario, proof: ProofSummary | null): Answer<Checked> {
  const plan = planOf(draft, scenario);
  if (!plan.ok && plan.refusal.code !== "plan.leaks") return plan;
  if (!plan.ok) return grant({ ...nothing, counterexample: brokenBy(String(plan.refusal.data["way"])) });
  const before = planOf(saved, scenario);
  const now = before.ok ? before.value.text.split("\n") : [];
  const then = plan.value.text.split("\n");
  const { session } = scenario;
  // who works over the local network is cut off by the rules that close it
  const cut = session !== undefined && !draft.lan.allow ? [{ code: "session.cut", data: { from: session } }] : [];
  return grant({
    ...{ ...nothing, proof, lints: [...deadRules(draft), ...cut] },
    difference: {
      added: then.filter((line) => !now.includes(line)),
      removed: now.filter((line) => !then.includes(line)),
      more: 0,
    },
  });
}

function deadRules({ rules }: Policy): Checked["lints"] {
  const same = (a: Policy["rules"][number], b: Policy["rules"][number]): boolean =>
    JSON.stringify(a.match) === JSON.stringify(b.match);
  return rules
    .filter((rule, index) => rules.slice(0, index).some((earlier) => same(earlier, rule)))
    .map((rule) => ({ code: "rule.dead", data: { rule: rule.id } }));
}

const nothing: Checked = {
  ...{ proof: null, counterexample: null, lints: [], notes: [] },
  difference: { added: [], removed: [], more: 0 },
};

function brokenBy(rule: string): CounterexampleTold {
  return {
    ...{ property: "P1", state: "connected", fault: "none", packet: "udp * port 40000 to 192.0.2.1 port 53" },
    to: { destination: address("192.0.2.1"), protocol: "udp", port: 53 },
    way: [`ip rule pref 4300 lookup 7610 # ${rule}`, "0.0.0.0/0 dev enp3s0 table 7610 metric 10"],
    end: "left by enp3s0 via 192.168.1.1",
  };
}
