// Programs → marks. A task has one class among the programs that the policy names by their executable and one among those
// it knows by where they live; each pair of the two is in some of the policy's rules. Pairs that are in the same rules
// carry the same mark, so a mark stands for a set of rules, and a rule's marks are those of every set it is in.
import type { App, Policy } from "../contract/policy.ts";
import { appMarks } from "../plan/numbers.ts";
import type { PlanApps } from "../plan/plan.ts";

export interface AppGroups {
  /** null: no rule names a program. */
  readonly plan: PlanApps | null;
  /** Marks by the rule's place. */
  readonly marks: ReadonlyMap<number, readonly number[]>;
  /** More sets of rules than there are marks. */
  readonly tooMany: boolean;
}

/** Sets of rules that can be told apart. */
export const maxGroups = appMarks.length;

export function appGroups(policy: Pick<Policy, "rules">): AppGroups {
  const named = policy.rules.flatMap(({ match }, place) => (match.apps ?? []).map((app) => ({ app, place })));
  if (named.length === 0) return { plan: null, marks: new Map(), tooMany: false };
  const programs = classesOf(named.filter(({ app }) => app.kind === "executable" || app.kind === "desktop"));
  const places = classesOf(named.filter(({ app }) => app.kind !== "executable" && app.kind !== "desktop"));
  const groups = new Map<string, readonly number[]>();
  const keys = [none, ...programs].map((program) =>
    [none, ...places].map((place) => {
      const rules = [...new Set([...program.rules, ...place.rules])].sort((a, b) => a - b);
      if (rules.length > 0) groups.set(rules.join(), rules);
      return rules.join();
    }),
  );
  const marks = new Map([...groups.keys()].map((key, i) => [key, appMarks[i] ?? 0] as const));
  const byRule = new Map<number, number[]>();
  for (const [key, rules] of groups)
    for (const rule of rules) byRule.set(rule, [...(byRule.get(rule) ?? []), marks.get(key) ?? 0]);
  const told = ({ app }: Class, i: number) => ({ app, class: i + 1 });
  return {
    plan: {
      programs: programs.map(told),
      places: places.map(told),
      marks: keys.map((row) => row.map((key) => marks.get(key) ?? 0)),
    },
    marks: byRule,
    tooMany: groups.size > maxGroups,
  };
}

interface Class {
  readonly app: App;
  readonly rules: readonly number[];
}

const none: Pick<Class, "rules"> = { rules: [] };

/** Each program once, with the rules that name it, in the order of their first naming. */
function classesOf(named: readonly { readonly app: App; readonly place: number }[]): readonly Class[] {
  const found = new Map<string, Class>();
  for (const { app, place } of named) {
    const key = JSON.stringify(Object.entries(app).sort());
    found.set(key, { app, rules: [...(found.get(key)?.rules ?? []), place] });
  }
  return [...found.values()];
}
