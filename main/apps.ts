// The programs that the picker offers: what is installed (desktop entries, among them those of Flatpaks and snaps), what
// runs and has no entry, and systemd's services. Read anew each time, as an ordinary user: what this user may not see of
// others' processes is not offered, and can be named by its path. An entry that only gives a shell or interpreter
// something to do is left out, because nothing could tell it from whatever else that runs.
import { readdir, readFile, realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join, relative } from "node:path";

import {
  type DesktopEntry,
  localised,
  parseDesktopEntry,
  type Started,
  startedBy,
} from "../helper/contract/desktop-entry.ts";
import type { App } from "../helper/contract/policy.ts";
import type { Program } from "../preload/bridge.ts";
import { iconOf } from "./icons.ts";
import { type Running, runningIn } from "./running.ts";

/** Where this machine keeps what is looked at; another one in tests. */
export interface Machine {
  /** XDG_DATA_HOME and XDG_DATA_DIRS, the most important first. */
  readonly data: readonly string[];
  readonly path: readonly string[];
  readonly proc: string;
  /** Root of cgroup version 2. */
  readonly cgroup: string;
  /** Folders of unit files. */
  readonly units: readonly string[];
}

export async function listPrograms(locale: string, machine: Machine = thisMachine()): Promise<readonly Program[]> {
  const running = await runningIn(machine.proc, machine.cgroup);
  const entries = await installed(machine, locale, running);
  const known = new Set(entries.flatMap(({ file }) => (file === null ? [] : [file])));
  const others = [...running.executables].filter((path) => !known.has(path));
  const all: readonly Program[] = [
    ...entries.map(({ program }) => program),
    ...others.map((path): Program => ({
      app: { kind: "executable", path },
      name: basename(path),
      icon: null,
      running: true,
    })),
    ...(await services(machine, running)),
  ];
  const order = new Intl.Collator(locale.replace("_", "-").split(/[.@]/)[0] || "en", { sensitivity: "base" });
  return each(all).sort((a, b) => order.compare(a.name, b.name));
}

function thisMachine(): Machine {
  const env = process.env;
  const list = (value: string | undefined, otherwise: string): string[] =>
    (value || otherwise).split(":").filter(Boolean);
  const home = env["XDG_DATA_HOME"] || join(homedir(), ".local/share");
  const shared = list(env["XDG_DATA_DIRS"], "/usr/local/share:/usr/share");
  // a session that was begun before they were installed does not name them
  const more = [join(home, "flatpak/exports/share"), "/var/lib/flatpak/exports/share", "/var/lib/snapd/desktop"];
  return {
    data: [...new Set([home, ...shared, ...more])],
    path: list(env["PATH"], "/usr/local/bin:/usr/bin:/bin:/usr/games"),
    ...{ proc: "/proc", cgroup: "/sys/fs/cgroup" },
    units: ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"],
  };
}

interface Installed {
  readonly program: Program;
  /** The executable behind it. */
  readonly file: string | null;
}

async function installed(machine: Machine, locale: string, running: Running): Promise<readonly Installed[]> {
  const found = new Map<string, string>();
  for (const folder of machine.data) {
    const root = join(folder, "applications");
    for (const path of await filesBelow(root)) {
      // "Desktop file ID": slashes become dashes, and the first folder that has one decides
      const id = relative(root, path).replaceAll("/", "-");
      if (id.endsWith(".desktop") && !found.has(id)) found.set(id, path);
    }
  }
  const all = await Promise.all([...found].map(([id, path]) => installedAs(machine, locale, running, id, path)));
  return all.filter((one) => one !== null);
}

async function installedAs(
  machine: Machine,
  locale: string,
  running: Running,
  id: string,
  path: string,
): Promise<Installed | null> {
  const text = await readFile(path, "utf8").catch(() => null);
  const entry = text === null ? null : parseDesktopEntry(text);
  const exec = entry?.get("Exec");
  if (entry === null || exec === undefined || isHidden(entry)) return null;
  const started = startedBy(exec);
  if (started === null || started.kind === "interpreter") return null;
  const app = appOf(started, id);
  const file = started.kind === "command" ? await fileOf(started.command, machine.path) : null;
  const icon = entry.get("Icon");
  const program = {
    app,
    name: localised(entry, "Name", locale) || id.replace(/\.desktop$/, ""),
    icon: icon === undefined ? null : await iconOf(icon, machine.data),
    running: runs(app, file, running),
  };
  return { program, file };
}

/** Hidden: as if it were deleted. NoDisplay: part of something else. */
function isHidden(entry: DesktopEntry): boolean {
  return entry.get("Hidden") === "true" || entry.get("NoDisplay") === "true";
}

function appOf(started: Exclude<Started, { kind: "interpreter" }>, id: string): App {
  switch (started.kind) {
    case "flatpak":
      return { kind: "flatpak", id: started.id };
    case "snap":
      return { kind: "snap", name: started.name };
    case "command":
      return { kind: "desktop", id };
  }
}

function runs(app: App, file: string | null, { executables, cgroups }: Running): boolean {
  const begins = (...names: readonly string[]): boolean =>
    [...cgroups].some((cgroup) => names.some((name) => cgroup.startsWith(name)));
  if (app.kind === "flatpak") return begins(`app-flatpak-${app.id.replaceAll("-", "\\x2d")}-`, `flatpak-${app.id}-`);
  if (app.kind === "snap") return begins(`snap.${app.name}.`);
  return file !== null && executables.has(file);
}

async function fileOf(command: string, path: readonly string[]): Promise<string | null> {
  const tried = command.includes("/") ? [command] : path.map((folder) => join(folder, command));
  for (const one of tried) {
    const real = await realpath(one).catch(() => null);
    if (real !== null) return real;
  }
  return null;
}

/** Services that run, and those that are started with the machine. */
async function services(machine: Machine, running: Running): Promise<readonly Program[]> {
  const wants = await filesBelow(machine.units[0] ?? "");
  const enabled = wants
    .filter((path) => /\.(?:wants|requires)\/[^/]+\.service$/.test(path))
    .map((path) => basename(path));
  const live = [...running.cgroups].filter((name) => name.endsWith(".service"));
  const names = [...new Set([...enabled, ...live])].filter((name) => !name.startsWith("snap."));
  return Promise.all(
    names.map(async (name): Promise<Program> => {
      const said = await describe(name, machine.units);
      return { app: { kind: "unit", name }, name: said ?? name, icon: null, running: live.includes(name) };
    }),
  );
}

async function describe(unit: string, folders: readonly string[]): Promise<string | null> {
  for (const folder of folders) {
    const text = await readFile(join(folder, unit), "utf8").catch(() => null);
    const said = text === null ? undefined : /^Description=(.+)$/m.exec(text)?.[1];
    // %i and the like stand for what only systemd knows
    if (said !== undefined && !said.includes("%")) return said;
  }
  return null;
}

/** Folders of entries and of `.wants` are no deeper. */
const deepest = 4;

async function filesBelow(folder: string, depth = 0): Promise<readonly string[]> {
  if (depth === deepest) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = await Promise.all(
    entries.map(async (entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path, depth + 1) : [path];
    }),
  );
  return below.flat();
}

function each(programs: readonly Program[]): Program[] {
  const found = new Map<string, Program>();
  for (const program of programs) {
    const key = JSON.stringify(Object.values(program.app));
    const before = found.get(key);
    // a Flatpak or snap may have several entries: one of them that runs is enough
    found.set(key, before === undefined ? program : { ...before, running: before.running || program.running });
  }
  return [...found.values()];
}
