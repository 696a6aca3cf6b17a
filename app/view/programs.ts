// Programs as the picker lists them and as rules name them. A rule holds only how a program is recognised; its name and
// picture come from the list main made, and where that does not know it, from the rule itself.
import type { App } from "../../helper/contract/policy.ts";
import type { Account, Program } from "../../preload/bridge.ts";

/** What main knows of this machine. */
export interface Known {
  readonly programs: readonly Program[];
  readonly accounts: readonly Account[];
}
export const nothingKnown: Known = { programs: [], accounts: [] };

export type Group = "chosen" | "running" | "installed" | "service" | "written";

export interface Listed {
  readonly group: Group;
  readonly programs: readonly Program[];
}

/** Equal for the same program, and usable as an id. */
export const appKey = (app: App): string => `${app.kind} ${recognisedBy(app)}`;

/** What a rule goes by: a path, an id, a unit's name. */
export function recognisedBy(app: App): string {
  switch (app.kind) {
    case "executable":
      return app.path;
    case "desktop":
    case "flatpak":
      return app.id;
    case "snap":
    case "unit":
      return app.name;
  }
}

export function programOf(app: App, known: readonly Program[]): Program {
  const key = appKey(app);
  return known.find((one) => appKey(one.app) === key) ?? { app, name: nameFromRule(app), icon: null, running: false };
}

/**
 * Those that have all the words searched for: what is already chosen, what runs, what is installed, services. Something
 * typed that is a path or a unit's name comes first: any executable may be named.
 */
export function listPrograms(known: readonly Program[], chosen: readonly App[], query: string): readonly Listed[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const keys = new Set(chosen.map(appKey));
  const all = [...chosen.map((app) => programOf(app, known)), ...known.filter((one) => !keys.has(appKey(one.app)))];
  const found = all.filter((one) => {
    const text = `${one.name} ${recognisedBy(one.app)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const written = appWritten(query);
  const isNew = written !== null && !all.some((one) => appKey(one.app) === appKey(written));
  const groupOf = (one: Program): Group => {
    if (keys.has(appKey(one.app))) return "chosen";
    if (one.app.kind === "unit") return "service";
    return one.running ? "running" : "installed";
  };
  const groups: readonly Group[] = ["chosen", "running", "installed", "service"];
  return [
    ...(isNew ? [{ group: "written" as const, programs: [programOf(written, known)] }] : []),
    ...groups
      .map((group) => ({ group, programs: found.filter((one) => groupOf(one) === group) }))
      .filter(({ programs }) => programs.length > 0),
  ];
}

/** systemd.unit(5): the kinds of unit that hold processes. */
const unitName = /^[\w:.@\\-]+\.(service|scope|slice)$/;

function appWritten(query: string): App | null {
  const text = query.trim();
  if (/^\/[^\0]*[^/\0]$/.test(text)) return { kind: "executable", path: text };
  return unitName.test(text) ? { kind: "unit", name: text } : null;
}

function nameFromRule(app: App): string {
  const text = recognisedBy(app);
  const last = app.kind === "executable" ? text.slice(text.lastIndexOf("/") + 1) : text;
  return last.replace(/\.(desktop|service)$/, "");
}
