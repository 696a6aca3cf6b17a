import { expect, test } from "vitest";

import type { App, PolicyRule } from "../contract/policy.ts";
import { type HeldMark, makersOf } from "../plan/makers.ts";
import { appGroups, maxGroups } from "./apps.ts";

const exe = (path: string): App => ({ kind: "executable", path });
const snap = (name: string): App => ({ kind: "snap", name });
const [a, b, c] = ["/a", "/b", "/c"].map(exe) as [App, App, App];
const rules = (...apps: readonly (readonly App[])[]): { rules: PolicyRule[] } => ({
  rules: apps.map((of, i) => ({ id: `${i}`, name: "", match: { apps: [...of] }, lane: "direct" })),
});
const told = (groups: ReturnType<typeof appGroups>): readonly HeldMark[] =>
  groups.plan === null ? [] : makersOf(groups.plan);
const markOf = (groups: ReturnType<typeof appGroups>, path: string): number | undefined =>
  told(groups).find(({ makers }) => makers.includes(`"${path}"`))?.mark;

test("a program keeps its mark while rules are moved, split, joined and others come and go", () => {
  let groups = appGroups(rules([a, b]));
  const [first, second] = [markOf(groups, "/a"), markOf(groups, "/b")];
  for (const next of [rules([b], [a]), rules([c], [b, a], [a]), rules([a], [c], [b]), rules([b, a])]) {
    groups = appGroups(next, told(groups));
    expect([markOf(groups, "/a"), markOf(groups, "/b")]).toEqual([first, second]);
  }
  expect(new Set([first, second]).size).toBe(2);
});

test("a mark that a program no longer named has had goes to nobody while there are fresh ones", () => {
  const before = told(appGroups(rules([a])));
  const after = told(appGroups(rules([b]), before));
  expect(after.map(({ mark }) => mark)).not.toContain(before[0]?.mark);
  const all = Array.from({ length: maxGroups }, (_, i) => exe(`/${i}`));
  const used = told(appGroups(rules(all)));
  expect(told(appGroups(rules([b]), used))).toHaveLength(1);
});

test("a pair has a mark of its own only where it is in other rules than either", () => {
  const apart = appGroups(rules([a], [snap("s")]));
  expect(apart.plan?.marks.map((row) => row.map((mark) => mark !== 0))).toEqual([
    [false, true],
    [true, true],
  ]);
  expect(new Set(apart.plan?.marks.flat()).size).toBe(4);
  const together = appGroups(rules([a, snap("s")]));
  expect(together.plan?.marks[1]?.[1]).toBe(together.plan?.marks[1]?.[0]);
});

test("more programs than marks share them by the rules they are in", () => {
  const many = Array.from({ length: maxGroups + 1 }, (_, i) => exe(`/${i}`));
  const groups = appGroups(rules(many, [b]));
  expect(groups.tooMany).toBe(false);
  expect(groups.marks.get(0)).toHaveLength(1);
  expect(appGroups(rules(...many.map((one) => [one]))).tooMany).toBe(true);
});
