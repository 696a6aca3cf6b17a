// What the demo's steps stand on: the lab with its watchers, the window, the report, and the words for what the wires saw.
import { join } from "node:path";

import { connectedTo } from "../net/allowed.ts";
import type { Culvert } from "./culvert.ts";
import type { FloodReport } from "./flood.ts";
import { nodeIn } from "./internet.ts";
import type { Allowed } from "./judge.ts";
import type { Lab } from "./lab.ts";
import type { Machine } from "./machine.ts";
import { places } from "./places.ts";
import type { Report } from "./report.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Watcher } from "./watcher.ts";
import type { Window } from "./window.ts";

export interface Stage {
  readonly lab: Lab;
  readonly laptop: Machine;
  readonly report: Report;
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly home: Watcher;
  readonly second: Watcher;
  /** When the second uplink was plugged in. */
  readonly plugged: { at: number | null };
  culvert?: Culvert;
  window?: Window;
  before?: Snapshot;
}

export interface Step {
  readonly title: string;
  readonly run: (stage: Stage) => Promise<void>;
}

export const node = nodeIn("Harbourton");
export const backup = [`${places.backup.ipv4}/32`, `${places.backup.ipv6}/128`];

/** What may leave once the backup goes direct. */
export const backupAllowed = (): Allowed => connectedTo(node, { direct: backup });

export async function shot(stage: Stage, name: string, caption: string): Promise<void> {
  await must(stage.window).order({ do: "shot", file: `/run/culvert-lab/home/${name}.png` });
  await stage.laptop.exec(`cat /run/culvert-lab/home/${name}.png > '${join(stage.folder, `${name}.png`)}'`);
  stage.report.shot(`${name}.png`, caption);
}

export function total(report: FloodReport, what: "sent" | "tried" = "sent"): number {
  return Object.values(report).reduce((sum, one) => {
    const refused = what === "tried" ? Object.values(one.refused).reduce((a, b) => a + b, 0) : 0;
    return sum + one.sent + refused;
  }, 0);
}

export function wire(counts: Readonly<Record<string, number>>, beside: readonly string[]): string {
  const seen = Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([kind, n]) => `${figure(n)} ${kind}`)
    .join(", ");
  const first = beside.length === 0 ? "" : `; first: ${beside.slice(0, 3).join(" | ")}`;
  return `the wires saw ${seen === "" ? "nothing" : seen}${counts["beside"] === 0 ? ", 0 beside" : ""}${first}`;
}

export const figure = (n: number): string => n.toLocaleString("en").replaceAll(",", " ");
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a step came before the one it stands on");
  return value;
}
