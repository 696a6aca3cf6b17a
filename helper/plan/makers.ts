// Whose sockets a mark is on. A socket keeps its mark for life while policies come and go, so what a mark stands for is
// told apart by who makes such sockets and not by the rules they are in.
import type { App } from "../contract/policy.ts";
import type { PlanApps } from "./plan.ts";

export interface HeldMark {
  readonly mark: number;
  readonly makers: string;
}

/** Equal for the same program. */
export const appKey = (app: App): string => JSON.stringify(Object.entries(app).sort());

/** Programs that a mark is on: those that have it alone, else the pair of a program and the place it runs in. */
export function makersOf(apps: PlanApps): readonly HeldMark[] {
  const alone = new Map<number, string[]>();
  const pairs = new Map<number, string[]>();
  for (const [row, columns] of apps.marks.entries()) {
    for (const [column, mark] of columns.entries()) {
      if (mark === 0) continue;
      const program = apps.programs.find((one) => one.class === row);
      const place = apps.places.find((one) => one.class === column);
      const keys = [program, place].flatMap((one) => (one === undefined ? [] : [appKey(one.app)]));
      const into = keys.length === 1 ? alone : pairs;
      into.set(mark, [...(into.get(mark) ?? []), keys.join(" & ")]);
    }
  }
  return [...new Set([...alone.keys(), ...pairs.keys()])].map((mark) => ({
    mark,
    makers: (alone.get(mark) ?? pairs.get(mark) ?? []).sort().join(),
  }));
}
