// Programs of the plan → what the addon's maps hold; and the class of every process that runs already. A class in the
// kernel is a number made of what the program is, not of its place in the plan: a process keeps it while policies change,
// and no policy gives the class of one program to another.
import type { App } from "../contract/policy.ts";
import { appKey } from "../plan/makers.ts";
import type { PlanApps } from "../plan/plan.ts";
import type { CgroupName, Recognised } from "./app-names.ts";
import type { AppTask, WantedMarks } from "./native.ts";

export interface Known {
  readonly app: App;
  readonly class: number;
  readonly recognised: Recognised;
}

/** `fileKey` null: there is no such file yet. */
export function wantedOf(
  apps: PlanApps,
  recognise: (app: App) => Recognised,
  fileKey: (path: string) => string | null,
): { readonly wanted: WantedMarks; readonly known: readonly Known[] } {
  const numbers = numbersOf([...apps.programs, ...apps.places].map(({ app }) => app));
  const of = (app: App): Known => ({ app, class: numbers.get(appKey(app)) ?? 0, recognised: recognise(app) });
  const programs = apps.programs.map((one) => ({ ...of(one.app), row: one.class, column: 0 }));
  const places = apps.places.map((one) => ({ ...of(one.app), row: 0, column: one.class }));
  const all = [...programs, ...places];
  const byPath = all.flatMap((one) => (one.recognised.by === "path" ? [{ ...one, paths: one.recognised.paths }] : []));
  const byCgroup = all.flatMap((one) =>
    one.recognised.by === "cgroup" ? [{ ...one, names: one.recognised.names }] : [],
  );
  const none = { class: 0, row: 0, column: 0 };
  const marks = [none, ...byPath].flatMap((program) =>
    [none, ...byCgroup].map((place) => ({
      ...{ program: program.class, place: place.class },
      // a desktop entry that is a Flatpak is a place by what it is and a row by how it was named
      mark: apps.marks[program.row === 0 ? place.row : program.row]?.[place.column] ?? 0,
    })),
  );
  const files = byPath.flatMap((one) =>
    one.paths.flatMap((path) => {
      const file = fileKey(path);
      return file === null ? [] : [{ file, class: one.class }];
    }),
  );
  const called = byPath.flatMap((one) => one.paths.map((path) => ({ path, class: one.class })));
  const names = byCgroup.flatMap((one) => one.names.map((name: CgroupName) => ({ ...name, class: one.class })));
  return {
    known: all.map(({ app, class: number, recognised }) => ({ app, class: number, recognised })),
    wanted: {
      programs: sorted(
        first(files, (p) => fileOf(p.file)),
        (p) => p.file,
      ),
      paths: sorted(
        first(
          called.filter((c) => Buffer.byteLength(c.path) < longestPath),
          (c) => c.path,
        ),
        (c) => c.path,
      ),
      places: sorted(
        first(names, (n) => `${n.name} ${n.begins}`),
        (n) => n.name,
      ),
      marks: sorted(
        marks.filter((m) => m.mark !== 0),
        (m) => `${m.program} ${m.place}`,
      ),
    },
  };
}

/** As the addon's map holds it: with its end it has 256 bytes (native/addon/src/bpf/programs.rs). */
const longestPath = 256;

export interface TaskChange {
  readonly task: number;
  readonly class: number;
  readonly was: number;
}

/**
 * Who runs what by now. A process whose own file is named has that class. Otherwise, while it has the class its parent has
 * (or none), it goes with its parent; one that was taken in by another parent keeps what it had.
 */
export function classesOf(tasks: readonly AppTask[], wanted: WantedMarks): readonly TaskChange[] {
  const byFile = new Map(wanted.programs.map(({ file, class: number }) => [file, number]));
  const valid = new Set([...wanted.programs, ...wanted.paths].map((p) => p.class));
  const byNumber = new Map(tasks.map((task) => [task.task, task]));
  const found = new Map<number, number>();
  const resolve = (task: AppTask): number => {
    const known = found.get(task.task);
    if (known !== undefined) return known;
    // a circle cannot be, but a number may have gone to another process while they were read
    found.set(task.task, 0);
    const parent = byNumber.get(task.parent);
    const own = classOfFile(task.file, byFile);
    const kept = valid.has(task.class) && task.class !== (parent?.class ?? 0) ? task.class : null;
    const value = own ?? kept ?? (parent === undefined ? 0 : resolve(parent));
    found.set(task.task, value);
    return value;
  };
  return tasks
    .map((task) => ({ task: task.task, class: resolve(task), was: task.class }))
    .filter((change) => change.class !== change.was);
}

/** A generation of 0 in the map stands for any. */
function classOfFile(file: string, byFile: ReadonlyMap<string, number>): number | null {
  return byFile.get(file) ?? byFile.get(`${fileOf(file)}:0`) ?? null;
}

/** Without the generation. */
const fileOf = (key: string): string => key.slice(0, key.lastIndexOf(":"));

/** FNV-1a, 31 bits; where two programs of one policy meet, the later takes the next free number. */
function numbersOf(apps: readonly App[]): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  const taken = new Set<number>();
  for (const key of apps.map(appKey).sort()) {
    if (numbers.has(key)) continue;
    let number = hash(key);
    while (number === 0 || taken.has(number)) number = (number + 1) & 0x7fff_ffff;
    taken.add(number);
    numbers.set(key, number);
  }
  return numbers;
}

function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x0100_0193) >>> 0;
  return value & 0x7fff_ffff;
}

/** Where two of policy's programs are one file, the first that names it has it. */
function first<T>(list: readonly T[], keyOf: (one: T) => string): readonly T[] {
  const seen = new Set<string>();
  return list.filter((one) => {
    const key = keyOf(one);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function sorted<T>(list: readonly T[], keyOf: (one: T) => string): readonly T[] {
  return [...list].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
