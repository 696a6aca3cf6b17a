// A program as policy names it → what the kernel can recognise it by: the paths its file is called by, or the names of the
// cgroups it lives in. Desktop entries are looked up where the specification says, then their Exec line is followed.
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";

import { parseDesktopEntry, type Started, startedBy } from "../contract/desktop-entry.ts";
import type { App } from "../contract/policy.ts";

export interface CgroupName {
  readonly name: string;
  /** The name is only how theirs begins. */
  readonly begins: boolean;
}

export type Recognised =
  | { readonly by: "path"; readonly paths: readonly string[] }
  | { readonly by: "cgroup"; readonly names: readonly CgroupName[] }
  /** There is no such desktop entry, or it starts nothing; or a shell or interpreter, which starts much else. */
  | { readonly by: "nothing"; readonly why: "no-entry" | "interpreter" };

/** Where desktop entries lie and commands are looked for; another one in tests. */
export interface Places {
  readonly entries: readonly string[];
  readonly path: readonly string[];
}

/** XDG Base Directory Specification, with what Flatpak and snapd add to it, and each person's own. */
export function systemPlaces(): Places {
  const shared = ["/usr/local/share", "/usr/share", "/var/lib/flatpak/exports/share", "/var/lib/snapd/desktop"];
  const own = homes().flatMap((home) => [join(home, ".local/share"), join(home, ".local/share/flatpak/exports/share")]);
  return {
    entries: [...shared, ...own].map((folder) => join(folder, "applications")),
    path: ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/games"],
  };
}

export function recognise(app: App, places: Places): Recognised {
  switch (app.kind) {
    case "executable":
      return { by: "path", paths: callings(app.path) };
    case "desktop":
      return fromEntry(app.id, places);
    case "flatpak":
      return { by: "cgroup", names: flatpakNames(app.id) };
    case "snap":
      // snap.NAME.APP-UUID.scope, snap.NAME.SERVICE.service (snapd, systemd.SecurityTagFromCgroup)
      return { by: "cgroup", names: [{ name: `snap.${app.name}.`, begins: true }] };
    case "unit":
      return { by: "cgroup", names: unitNames(app.name) };
  }
}

function fromEntry(id: string, places: Places): Recognised {
  const exec = findEntry(id, places.entries);
  const started = exec === null ? null : startedBy(exec);
  if (started === null) return { by: "nothing", why: "no-entry" };
  return startedAs(started, places);
}

function startedAs(started: Started, places: Places): Recognised {
  switch (started.kind) {
    case "flatpak":
      return { by: "cgroup", names: flatpakNames(started.id) };
    case "snap":
      return recognise({ kind: "snap", name: started.name }, places);
    case "interpreter":
      return { by: "nothing", why: "interpreter" };
    case "command": {
      const { command } = started;
      const tried = command.includes("/") ? [command] : places.path.map((folder) => join(folder, command));
      const there = tried.filter((path) => real(path) !== null);
      // one that is not installed is known as soon as it is
      const paths = there.length > 0 ? there : tried;
      return { by: "path", paths: [...new Set(paths.flatMap(callings))] };
    }
  }
}

/** An id is the path below `applications` with dashes for slashes ("Desktop file ID"): kde-foo may be kde/foo. */
function findEntry(id: string, folders: readonly string[]): string | null {
  const file = id.endsWith(".desktop") ? id : `${id}.desktop`;
  if (file.includes("/")) return null;
  const spelt = [
    file,
    ...Array.from(file.matchAll(/-/g), ({ index: at }) => `${file.slice(0, at)}/${file.slice(at + 1)}`),
  ];
  for (const folder of folders) {
    for (const name of spelt) {
      const text = readIfThere(join(folder, name));
      const exec = text === null ? undefined : parseDesktopEntry(text)?.get("Exec");
      if (exec !== undefined) return exec;
    }
  }
  return null;
}

/** As it is named, as it really is, and the same through the links that merge /bin into /usr/bin. */
function callings(path: string): readonly string[] {
  const named = [path, real(path) ?? path];
  const merged = named.flatMap((one) => {
    const below = /^\/usr(\/(?:s?bin|lib\w*)\/.*)/.exec(one)?.[1];
    return below !== undefined && real(below) !== null && real(below) === real(one) ? [below] : [];
  });
  return [...new Set([...named, ...merged])];
}

/**
 * app-flatpak-ID-PID.scope, the id escaped as units are since 1.13 (flatpak-run.c), flatpak-ID-PID.scope before 1.0.
 */
function flatpakNames(id: string): readonly CgroupName[] {
  const escaped = id.replaceAll("-", "\\x2d");
  const spelt = [`app-flatpak-${escaped}-`, `app-flatpak-${id}-`, `flatpak-${id}-`];
  return [...new Set(spelt)].map((name) => ({ name, begins: true }));
}

/** systemd.unit(5): without a suffix it is a service; NAME@ stands for all its instances. */
function unitNames(name: string): readonly CgroupName[] {
  const whole = /\.(service|scope|slice|socket|mount|swap)$/.test(name) ? name : `${name}.service`;
  const template = /^(.*@)\.\w+$/.exec(whole)?.[1];
  return [template === undefined ? { name: whole, begins: false } : { name: template, begins: true }];
}

function homes(): readonly string[] {
  const lines = (readIfThere("/etc/passwd") ?? "").split("\n").map((line) => line.split(":"));
  // UID_MIN of login.defs(5), and what lies above UID_MAX
  const people = lines.filter(([, , uid]) => Number(uid) >= 1000 && Number(uid) < 60_000);
  return [...new Set(["/root", ...people.map((fields) => fields[5] ?? "")])].filter((home) => home.startsWith("/"));
}

/** Folders that this process may not look into have nothing to say. */
function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function real(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
