// Loads and feeds the BPF programs that mark sockets. Order: what each program of the plan is recognised by, the maps, the
// classes of what runs already, read back and compare, and only then an earlier life's programs go.
//
// They are pinned, so marks go on while no helper lives: a program that policy blocks or sends through the tunnel would
// otherwise be free with its next socket. They go when a plan names no program, after everything else was taken down.
import { existsSync, readFileSync, watch } from "node:fs";
import { basename, dirname, join } from "node:path";

import { z } from "zod";

import type { App } from "../contract/policy.ts";
import type { KernelFeatures } from "../plan/facts.ts";
import { appKey, type HeldMark, makersOf } from "../plan/makers.ts";
import { markMask } from "../plan/numbers.ts";
import type { PlanApps } from "../plan/plan.ts";
import { printApps } from "../plan/print-apps.ts";
import { classesOf, type Known, wantedOf } from "./app-classes.ts";
import { recognise, systemPlaces } from "./app-names.ts";
import { writeDurably } from "./journal.ts";
import { type AppStanding, type AppsStanding, KernelError } from "./kernel.ts";
import type { AppMarks, MarkOptions, Native, WantedMarks } from "./native.ts";
import { asked, codeOf } from "./read.ts";

export interface AppMarker {
  readonly how: KernelFeatures["appMarks"];
  /** Who has, or had since boot, sockets with which mark. */
  held(): readonly HeldMark[];
  /** Bears being called twice with the same. */
  set(apps: PlanApps, commands: string[]): void;
  clear(commands: string[]): void;
  standing(): AppsStanding;
  /** Closes sockets that these opened before they had their mark; null: of all. How many. */
  reopen(apps: readonly App[] | null): number;
  /** What was pinned stays. */
  close(): void;
}

export interface AppOptions {
  readonly native: Native;
  readonly runDir: string;
  /** Root of cgroup version 2; absent: where it is mounted. */
  readonly cgroup?: string;
  /** A file that policy names was replaced: its new inode has to be learnt. */
  readonly replaced: () => void;
}

/** A process that is born while the others are looked at is found in the next round. */
const rounds = 4;

export function openApps(options: AppOptions): AppMarker {
  const { native } = options;
  const cgroup = options.cgroup ?? rootCgroup();
  const bpffs = machineBpffs();
  const own = join(options.runDir, "bpf");
  const at = (): MarkOptions => ({ cgroup: cgroup ?? "", bpffs: bpffs ?? own, mask: markMask });
  const how = probed(native, cgroup === null ? null : at());
  const history = historyIn(join(options.runDir, "app-marks.json"));
  let marks: AppMarks | null = null;
  let stands: { readonly apps: PlanApps; readonly known: readonly Known[]; readonly wanted: WantedMarks } | null = null;
  let unwatch = (): void => undefined;

  const open = (): AppMarks => {
    if (bpffs === null) asked("mounting", own, () => native.bpfMount(own));
    return asked("marking", "sockets", () => native.appMarksOpen(at()));
  };
  const opened = (): AppMarks => {
    const here = marks ?? open();
    if (here.read().whole) return here;
    // somebody took a part of it away; what is left of it marks nothing or too little
    asked("unmarking", "sockets", () => native.appMarksClear(bpffs ?? own));
    return open();
  };

  /** On disk before the first socket has it. A mark goes to another only when there is no fresh one, and its sockets end. */
  const hold = (apps: PlanApps): void => {
    const before = history.read();
    const now = makersOf(apps);
    const kept = before.filter(({ mark }) => !now.some((one) => one.mark === mark));
    const passed = now.filter(({ mark, makers }) => before.some((one) => one.mark === mark && one.makers !== makers));
    history.write([...kept, ...now]);
    if (passed.length === 0) return;
    const marks = passed.map(({ mark }) => mark);
    asked("closing", "sockets of a mark that goes to another program", () => native.destroyMarked(marks, markMask));
  };

  return {
    how,
    held: () => history.read(),
    set(apps, commands) {
      if (how !== "bpf") throw new KernelError("marking", "sockets of programs", "EOPNOTSUPP");
      marks = opened();
      const places = systemPlaces();
      const { wanted, known } = wantedOf(
        apps,
        (app) => recognise(app, places),
        (path) => keyOf(native, path),
      );
      const same = isSame(wanted, marks);
      hold(apps);
      if (!same) feed(marks, wanted);
      settle(marks, wanted);
      if (!isSame(wanted, marks)) throw new KernelError("reading back", "marks of programs", "NOT-AS-PLANNED");
      marks.alone();
      if (!same) commands.push(...printApps(apps));
      stands = { apps, known, wanted };
      unwatch();
      unwatch = watchFiles(
        wanted.paths.map(({ path }) => path),
        options.replaced,
      );
    },
    clear(commands) {
      unwatch();
      unwatch = () => undefined;
      marks = null;
      stands = null;
      if (how === "none") return;
      const there = asked("unmarking", "sockets", () => native.appMarksClear(bpffs ?? own));
      if (bpffs === null) asked("unmounting", own, () => native.bpfUnmount(own));
      if (there) commands.push(printApps(null)[0] ?? "");
    },
    standing() {
      const reading = marks?.read();
      if (marks === null || stands === null || reading === undefined) return { how, scripts: false, lost: 0, apps: [] };
      const tasks = marks.tasks();
      const { known, wanted } = stands;
      return {
        ...{ how, scripts: reading.scripts, lost: reading.lost },
        apps: known.map((one) => standingOf(one, wanted, marks, tasks)),
      };
    },
    reopen(apps) {
      if (marks === null || stands === null) return 0;
      const here = marks;
      const keys = apps?.map(appKey);
      const chosen = stands.known.filter(({ app }) => keys?.includes(appKey(app)) ?? true).map((one) => one.class);
      return asked("closing", "sockets", () => here.reopen(chosen, chosen));
    },
    close() {
      unwatch();
    },
  };
}

/** Below /run: gone with a reboot, as the sockets are. What does not parse was not written by us. */
function historyIn(path: string): { read(): readonly HeldMark[]; write(held: readonly HeldMark[]): void } {
  const schema = z.array(z.strictObject({ mark: z.int(), makers: z.string() }));
  const load = (): readonly HeldMark[] => {
    if (!existsSync(path)) return [];
    try {
      return schema.parse(JSON.parse(readFileSync(path, "utf8")));
    } catch {
      return [];
    }
  };
  let held: readonly HeldMark[] | null = null;
  return {
    read: () => (held ??= load()),
    write(next) {
      if (JSON.stringify(next) === JSON.stringify(held)) return;
      held = next;
      writeDurably(path, JSON.stringify(next), 0o600);
    },
  };
}

function standingOf(
  { app, class: number, recognised }: Known,
  wanted: WantedMarks,
  marks: AppMarks | null,
  tasks: ReturnType<AppMarks["tasks"]>,
): AppStanding {
  const mark = wanted.marks.find((m) => (m.program === number && m.place === 0) || m.place === number)?.mark ?? 0;
  const older = marks?.older([number], [number]) ?? 0;
  if (recognised.by === "nothing") return { app, by: "nothing", why: recognised.why, mark: 0, processes: 0, older: 0 };
  if (recognised.by === "cgroup") return { app, by: "cgroup", mark, processes: null, older };
  const there = wanted.programs.some((p) => p.class === number);
  const processes = tasks.filter((task) => task.class === number).length;
  return { app, by: there ? "file" : "path", mark, processes, older };
}

/** Marks of what is new before its classes, which the addon does in this order by itself. */
function feed(marks: AppMarks, wanted: WantedMarks): void {
  asked("marking", "sockets of programs", () => {
    marks.apply(wanted);
  });
}

function settle(marks: AppMarks, wanted: WantedMarks): void {
  for (let round = 0; round < rounds; round++) {
    const changes = classesOf(marks.tasks(), wanted);
    if (changes.length === 0) return;
    marks.setTasks(changes);
  }
}

function isSame(wanted: WantedMarks, marks: AppMarks): boolean {
  const { programs, paths, places, marks: told } = marks.read();
  return canonical({ programs, paths, places, marks: told }) === canonical(wanted);
}

/** Each list in one order, each entry with its fields in one. */
function canonical({ programs, paths, places, marks }: WantedMarks): string {
  const lists = [
    programs.map((p) => [p.file, p.class]),
    paths.map((p) => [p.path, p.class]),
    places.map((p) => [p.name, p.begins, p.class]),
    marks.map((m) => [m.program, m.place, m.mark]),
  ];
  return JSON.stringify(lists.map((list) => list.map((one) => JSON.stringify(one)).sort()));
}

function keyOf(native: Native, path: string): string | null {
  try {
    return native.fileKey(path);
  } catch (error) {
    const code = codeOf(error);
    if (["ENOENT", "ENOTDIR", "EISDIR", "EACCES", "ELOOP"].includes(code)) return null;
    throw new KernelError("reading", path, code, error);
  }
}

/** What refuses here is named by what is offered instead: nothing. */
function probed(native: Native, options: MarkOptions | null): KernelFeatures["appMarks"] {
  if (options === null) return "none";
  try {
    native.appMarksProbe(options);
    return "bpf";
  } catch {
    return "none";
  }
}

/** proc_pid_mountinfo(5): field 4 is what of the filesystem is shown, field 5 where, the type stands after the dash. */
function mountsOf(type: string): readonly { readonly root: string; readonly at: string }[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const fields = before.split(" ");
      const here = { root: fields[3] ?? "", at: fields[4] ?? "" };
      return after.split(" ")[0] === type ? [here] : [];
    });
}

function rootCgroup(): string | null {
  return mountsOf("cgroup2").find(({ root }) => root === "/")?.at ?? null;
}

/** systemd mounts it on every machine it runs. */
function machineBpffs(): string | null {
  return mountsOf("bpf").find(({ root, at }) => root === "/" && at === "/sys/fs/bpf")?.at ?? null;
}

/** An upgrade renames a new file over the old one. Until it is learnt, the path it is called by holds it. */
function watchFiles(paths: readonly string[], replaced: () => void): () => void {
  const folders = new Map<string, Set<string>>();
  for (const path of paths) folders.set(dirname(path), (folders.get(dirname(path)) ?? new Set()).add(basename(path)));
  const watchers = [...folders].flatMap(([folder, names]) => {
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || names.has(name)) replaced();
      });
      // the folder itself went: the path still holds what is called by it
      watcher.on("error", () => {
        watcher.close();
      });
      return [watcher];
    } catch {
      // it is not there yet
      return [];
    }
  });
  return () => {
    for (const watcher of watchers) watcher.close();
  };
}
