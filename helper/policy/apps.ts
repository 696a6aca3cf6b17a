// Programs → marks. A task has one class among the programs that the policy names by their executable and one among those
// it knows by where they live. Each program has a mark of its own, and keeps the one its sockets have carried since boot: a
// socket lives longer than a policy, and no change of rules may give it another program's lane. A pair of both has a mark
// of its own only where it is in other rules than either. More programs than marks share them by the rules they are in.
import type { App, Policy } from "../contract/policy.ts";
import { appKey } from "../plan/makers.ts";
import type { HeldMark } from "../plan/makers.ts";
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

export function appGroups(policy: Pick<Policy, "rules">, held: readonly HeldMark[] = []): AppGroups {
  const named = policy.rules.flatMap(({ match }, place) => (match.apps ?? []).map((app) => ({ app, place })));
  if (named.length === 0) return { plan: null, marks: new Map(), tooMany: false };
  const programs = classesOf(named.filter(({ app }) => app.kind === "executable" || app.kind === "desktop"));
  const places = classesOf(named.filter(({ app }) => app.kind !== "executable" && app.kind !== "desktop"));
  const cells = [none, ...programs].map((program) => [none, ...places].map((place) => cellOf(program, place)));
  const own = new Set(cells.flat().map((cell) => cell.makers));
  // the cell that nobody is in has no mark
  const keyOf = own.size - 1 <= maxGroups ? (cell: Cell) => cell.makers : (cell: Cell) => cell.rules.join();
  const groups = new Map(cells.flat().flatMap((c) => (c.rules.length === 0 ? [] : [[keyOf(c), c.rules] as const])));
  const marks = marksOf([...groups.keys()], held);
  const byRule = new Map<number, number[]>();
  for (const [key, rules] of groups)
    for (const rule of rules) byRule.set(rule, [...(byRule.get(rule) ?? []), marks.get(key) ?? 0]);
  const told = ({ app }: Class, i: number) => ({ app, class: i + 1 });
  return {
    plan: {
      programs: programs.map(told),
      places: places.map(told),
      marks: cells.map((row) => row.map((cell) => marks.get(keyOf(cell)) ?? 0)),
    },
    marks: byRule,
    tooMany: groups.size > maxGroups,
  };
}

interface Class {
  readonly app: App;
  readonly key: string;
  readonly rules: readonly number[];
}

/** Sockets of a program in a place, or of one of both. */
interface Cell {
  readonly rules: readonly number[];
  readonly makers: string;
}

const none: Pick<Class, "rules" | "key"> = { key: "", rules: [] };

function cellOf(program: Pick<Class, "rules" | "key">, place: Pick<Class, "rules" | "key">): Cell {
  const rules = [...new Set([...program.rules, ...place.rules])].sort((a, b) => a - b);
  const like = [program, place].find((one) => one.key !== "" && one.rules.join() === rules.join());
  return { rules, makers: like?.key ?? (rules.length === 0 ? "" : `${program.key} & ${place.key}`) };
}

/** What was held stays; others take marks that nobody has had, and after those the ones of programs no longer named. */
function marksOf(keys: readonly string[], held: readonly HeldMark[]): ReadonlyMap<string, number> {
  const kept = held.filter(({ makers, mark }) => keys.includes(makers) && appMarks.includes(mark));
  const had = held.map(({ mark }) => mark);
  const free = [...appMarks.filter((mark) => !had.includes(mark)), ...appMarks.filter((mark) => had.includes(mark))];
  const taken = new Set(kept.map(({ mark }) => mark));
  const found = new Map(kept.map(({ makers, mark }) => [makers, mark]));
  for (const key of keys) {
    if (found.has(key)) continue;
    const mark = free.find((one) => !taken.has(one)) ?? 0;
    taken.add(mark);
    found.set(key, mark);
  }
  return found;
}

/** Each program once, with the rules that name it, in the order of their first naming. */
function classesOf(named: readonly { readonly app: App; readonly place: number }[]): readonly Class[] {
  const found = new Map<string, Class>();
  for (const { app, place } of named) {
    const key = appKey(app);
    found.set(key, { app, key, rules: [...(found.get(key)?.rules ?? []), place] });
  }
  return [...found.values()];
}
