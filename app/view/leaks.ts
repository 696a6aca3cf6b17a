// The leak screen as values: the count, the checks with their evidence, the last two minutes of what the watch saw, and
// the report that is saved. A check that could not run is listed with its reason; it is never ticked and never left out.
import type { LeakCheck, Status, Traffic } from "../../helper/contract/status.ts";
import { age, clock, say, type Part, type Say, type Speak } from "./say.ts";
import type { Situation } from "./situation.ts";

/** Evidence the catalogue has a sentence for; what a newer helper says is shown by its code. */
export const evidenceCodes = [
  "seen-as",
  "asked-by",
  "as-planned",
  "not-as-planned",
  "not-connected",
  "node-does-not-tell",
  "name-not-asked",
  "canaries-held",
  "canaries-seen",
  "canaries-not-sent",
  "wire-not-watched",
  "wire-silent",
  "wire-missed",
] as const;

export interface CheckRow {
  readonly name: LeakCheck["name"];
  readonly verdict: LeakCheck["verdict"];
  readonly title: Say;
  readonly evidence: Say;
  readonly age: Part;
}

export function checkRows(checks: readonly LeakCheck[], now: number): readonly CheckRow[] {
  return checks.map((check) => ({
    name: check.name,
    verdict: check.verdict,
    title: say(`check.${check.name}`),
    evidence: evidenceOf(check),
    age: say("readings.ago", { time: age(now - check.at) }),
  }));
}

export interface Count {
  /** null: nothing was watched. */
  readonly value: number | null;
  readonly title: Say;
  readonly detail: Say;
  /** Frames that came faster than they could be looked at: the count says nothing of them. */
  readonly missed?: Say | null;
}

export function countOf(situation: Situation, status: Status | null, traffic: Traffic | null): Count {
  const away = situation === "off" || situation === "failed" || situation === "reading" || situation === "unheard";
  if (away || status === null) {
    return { value: null, title: say("leaks.count.off"), detail: say("leaks.count.off-detail") };
  }
  if (traffic === null) {
    return { value: null, title: say("leaks.count.waiting"), detail: say("leaks.count.waiting-detail") };
  }
  const { wire } = traffic;
  if (wire === null) {
    return { value: null, title: say("leaks.count.unwatched"), detail: say("leaks.count.unwatched-detail") };
  }
  const names = status.uplinks.map((uplink) => uplink.name);
  return {
    value: wire.beside,
    title: say("leaks.count.beside", { count: wire.beside }),
    detail: say("leaks.count.of", { count: wire.seen, uplinks: { kind: "list", parts: names } }),
    missed: (wire.missed ?? 0) > 0 ? say("leaks.count.missed", { count: wire.missed ?? 0 }) : null,
  };
}

export interface Bar {
  readonly seen: number;
  readonly beside: number;
}

/** What left the uplinks in each second between two samples; counters that went back mark a new count. */
export function wireBars(samples: readonly Traffic[]): readonly Bar[] {
  return samples.slice(1).map((sample, index) => {
    const before = samples[index]?.wire;
    if (sample.wire === null || before == null) return { seen: 0, beside: 0 };
    return {
      seen: Math.max(0, sample.wire.seen - before.seen),
      beside: Math.max(0, sample.wire.beside - before.beside),
    };
  });
}

export interface Report {
  readonly at: number;
  readonly headline: Say;
  readonly count: Count;
  readonly rows: readonly CheckRow[];
  readonly status: Status | null;
}

export function reportText(report: Report, speak: Speak): string {
  const { at, count, status } = report;
  const lines = [
    speak(say("report.title", { time: new Date(at).toISOString() })),
    speak(report.headline),
    `${count.value === null ? "" : `${speak(count.value)} `}${speak(count.title)} ${speak(count.detail)}`,
    ...(count.missed == null ? [] : [speak(count.missed)]),
    "",
    ...report.rows.map((row) => `${speak(say(`verdict.${row.verdict}`))}: ${speak(row.title)}: ${speak(row.evidence)}`),
    "",
    ...(status?.notices.map((notice) => speak(say(`notice.${notice}`))) ?? []),
    ...(status?.drift.map((drift) => `${speak(clock(drift.at, true))} ${drift.author ?? "?"}: ${drift.what}`) ?? []),
    speak(say("report.helper", { version: status?.helper.version ?? "?" })),
  ];
  return `${lines.join("\n")}\n`;
}

const gaps = { address: "?", asker: "?", rules: "?", routes: "?", errno: "?", tried: "?", refused: "?" } as const;
const countedBy: Readonly<Record<string, string>> = {
  "canaries-held": "tried",
  "canaries-seen": "seen",
  "wire-missed": "missed",
};

function evidenceOf(check: LeakCheck): Say {
  const { code, data } = check.evidence;
  const known = evidenceCodes.some((one) => one === code);
  const values: Record<string, Part> = {};
  for (const [name, value] of Object.entries(data)) values[name] = value ?? "–";
  // the number that a sentence counts by is the one it speaks of
  const count = countedBy[code] === undefined ? {} : { count: values[countedBy[code]] ?? 0 };
  if (known) return say(`evidence.${code}`, { ...gaps, ...values, ...count });
  const shown = Object.entries(data).map(([name, value]) => `${name} ${value ?? "–"}`);
  return say("evidence.other", { what: [code, ...shown].join(", ") });
}
