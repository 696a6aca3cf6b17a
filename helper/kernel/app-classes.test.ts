import { describe, expect, test } from "vitest";

import type { App } from "../contract/policy.ts";
import type { PlanApps } from "../plan/plan.ts";
import { classesOf, wantedOf } from "./app-classes.ts";
import type { Recognised } from "./app-names.ts";
import type { AppTask, WantedMarks } from "./native.ts";

const exe = (path: string): App => ({ kind: "executable", path });
const mail: App = { kind: "desktop", id: "mail" };
const snap: App = { kind: "snap", name: "chat" };
const plan = (programs: readonly App[], places: readonly App[], marks: PlanApps["marks"]): PlanApps => ({
  programs: programs.map((app, i) => ({ app, class: i + 1 })),
  places: places.map((app, i) => ({ app, class: i + 1 })),
  marks,
});
const recognise = (app: App): Recognised => {
  if (app.kind === "executable") return { by: "path", paths: [app.path] };
  const name = app.kind === "snap" ? `snap.${app.name}.` : "app-flatpak-org.mail-";
  return { by: "cgroup", names: [{ name, begins: true }] };
};
const keyOf = (path: string): string | null => (path === "/late" ? null : `1:${path.length}:9`);

describe("what the maps are to hold", () => {
  test("a program has the same class whatever else policy names, and no two have one", () => {
    const [alone] = wantedOf(plan([exe("/a")], [], [[0], [7]]), recognise, keyOf).known;
    const both = wantedOf(
      plan(
        [exe("/bb"), exe("/a")],
        [snap],
        [
          [0, 9],
          [7, 9],
          [8, 9],
        ],
      ),
      recognise,
      keyOf,
    ).known;
    expect(both.find(({ app }) => app.kind === "executable" && app.path === "/a")?.class).toBe(alone?.class);
    expect(new Set(both.map((one) => one.class)).size).toBe(3);
  });
  test("one that is not installed is known by its path, and where two are one file the first has it", () => {
    const { wanted } = wantedOf(plan([exe("/late"), exe("/a"), exe("/b")], [], [[0], [1], [2], [3]]), recognise, keyOf);
    expect(wanted.paths.map((p) => p.path)).toEqual(["/a", "/b", "/late"]);
    expect(wanted.programs).toEqual([{ file: "1:2:9", class: wanted.paths[0]?.class }]);
  });
  test("a desktop entry of a Flatpak is a place, with the mark of its own row", () => {
    const { wanted, known } = wantedOf(
      plan(
        [exe("/a"), mail],
        [snap],
        [
          [0, 9],
          [7, 79],
          [8, 89],
        ],
      ),
      recognise,
      keyOf,
    );
    const [a, m, s] = known.map((one) => one.class);
    expect(new Set(wanted.marks.map((one) => JSON.stringify([one.program, one.place, one.mark])))).toEqual(
      new Set(
        [
          [0, m, 8],
          [0, s, 9],
          [a, 0, 7],
          [a, m, 7],
          [a, s, 79],
        ].map((one) => JSON.stringify(one)),
      ),
    );
  });
});

describe("who runs what by now", () => {
  const wanted: WantedMarks = {
    programs: [
      { file: "1:10:0", class: 1 },
      { file: "1:20:5", class: 2 },
    ],
    ...{ paths: [{ path: "/script", class: 3 }], places: [], marks: [] },
  };
  const task = (number: number, parent: number, was: number, file = ""): AppTask => {
    return { task: number, parent, class: was, file };
  };
  const classes = (...tasks: readonly AppTask[]) => classesOf(tasks, wanted).map((c) => [c.task, c.was, c.class]);

  test("a named file, of any generation where none is told, and else of its own", () => {
    expect(classes(task(1, 0, 0, "1:10:77"), task(2, 0, 0, "1:20:5"), task(3, 0, 0, "1:20:6"))).toEqual([
      [1, 0, 1],
      [2, 0, 2],
    ]);
  });
  test("children go with the nearest named one, in whatever order they are told", () => {
    expect(classes(task(4, 3, 0), task(3, 2, 0, "1:20:5"), task(2, 1, 0), task(1, 0, 0, "1:10:1"))).toEqual([
      [4, 0, 2],
      [3, 0, 2],
      [2, 0, 1],
      [1, 0, 1],
    ]);
  });
  test("one whom another parent took in keeps its class, and a script that of its path", () => {
    expect(classes(task(9, 1, 2), task(1, 0, 0), task(8, 7, 3), task(7, 0, 1, "1:10:1"))).toEqual([]);
  });
  test("a class that policy no longer names goes", () => {
    expect(classes(task(9, 1, 5), task(1, 0, 0))).toEqual([[9, 5, 0]]);
  });
  test("a child that went with its parent goes with it when the parent is named anew", () => {
    expect(classes(task(1, 0, 1, "1:10:1"), task(2, 1, 1, "1:20:5"), task(3, 2, 1))).toEqual([
      [2, 1, 2],
      [3, 1, 2],
    ]);
  });
});
