// Every plan with one line taken out, and with two neighbours exchanged: rules of `ip`, routes, nft rules. A line is named
// as it prints, so that a survivor can be judged by reading it.
import { printRoute } from "../../helper/plan/print.ts";
import { printNftRule } from "../../helper/plan/print-nft.ts";
import type { NftTable } from "../../helper/plan/nft.ts";
import type { Plan, PlanRule } from "../../helper/plan/plan.ts";

export interface Mutant {
  readonly change: "without" | "exchanged";
  /** Where the line stands: rules, routes, or family and chain. */
  readonly place: string;
  /** The line that is missing, or the two that changed places. */
  readonly lines: readonly string[];
  readonly plan: Plan;
}

export function* mutantsOf(plan: Plan): Generator<Mutant> {
  yield* each("rules", plan.rules, tellRule, (rules) => ({ ...plan, rules }), "without");
  yield* exchangedRules(plan);
  // routes have no order: their prefix and metric say who is asked first
  yield* each("routes", plan.routes, printRoute, (routes) => ({ ...plan, routes }), "without");
  for (const table of plan.nft)
    for (const chain of table.chains) {
      const place = `${table.family} ${chain.name}`;
      const put = (rules: typeof chain.rules): Plan => ({
        ...plan,
        nft: plan.nft.map((t): NftTable =>
          t === table ? { ...t, chains: t.chains.map((c) => (c === chain ? { ...c, rules } : c)) } : t,
        ),
      });
      const print = (rule: (typeof chain.rules)[number]): string => printNftRule(rule, table.family);
      yield* each(place, chain.rules, print, put, "without");
      yield* each(place, chain.rules, print, put, "exchanged");
    }
}

function* each<T>(
  place: string,
  all: readonly T[],
  print: (one: T) => string,
  put: (all: readonly T[]) => Plan,
  change: Mutant["change"],
): Generator<Mutant> {
  for (const [i, one] of all.entries()) {
    const next = all[i + 1];
    if (change === "without") {
      yield { change, place, lines: [print(one)], plan: put([...all.slice(0, i), ...all.slice(i + 1)]) };
    } else if (next !== undefined) {
      const lines = [print(one), print(next)];
      yield { change, place, lines, plan: put([...all.slice(0, i), next, one, ...all.slice(i + 2)]) };
    }
  }
}

/** Neighbours in a family exchange their priorities. */
function* exchangedRules(plan: Plan): Generator<Mutant> {
  for (const family of [4, 6] as const) {
    const rules = plan.rules.filter((rule) => rule.family === family).sort((a, b) => a.priority - b.priority);
    for (const [i, one] of rules.entries()) {
      const next = rules[i + 1];
      if (next === undefined || next.priority === one.priority) continue;
      const swap = (rule: PlanRule): PlanRule => {
        if (rule === one) return { ...rule, priority: next.priority };
        return rule === next ? { ...rule, priority: one.priority } : rule;
      };
      const lines = [tellRule(one), tellRule(next)];
      yield { change: "exchanged", place: "rules", lines, plan: { ...plan, rules: plan.rules.map(swap) } };
    }
  }
}

function tellRule(rule: PlanRule): string {
  const { family, priority, action, mark, from, to, dport, protocol } = rule;
  const words = [
    `${family === 4 ? "ip" : "ip -6"} rule ${priority}`,
    ...(mark === undefined ? [] : [`fwmark 0x${mark.value.toString(16)}`]),
    ...(from === undefined ? [] : [`from ${from}`]),
    ...(to === undefined ? [] : [`to ${to}`]),
    ...(protocol === undefined ? [] : [`ipproto ${protocol}`]),
    ...(dport === undefined ? [] : [`dport ${dport.from}`]),
    action.kind === "lookup" ? `lookup ${action.table}` : action.kind,
  ];
  return words.join(" ");
}
