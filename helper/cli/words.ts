// Every sentence the command line says, in the user's language: LC_ALL, LC_MESSAGES or LANG decide, English where they name
// none of ours. A catalogue that lacks a refusal or a state does not compile.
import type { AppHeld, AppLimit } from "../contract/apps.ts";
import type { Refusal, RefusalCode } from "../contract/refusal.ts";
import type { Drift, LeakCheck, LockCause, State, Status } from "../contract/status.ts";
import type { Explanation } from "../contract/trace.ts";
import type { Finding, Note } from "../contract/verdict.ts";
import { en } from "./words-en.ts";
import { ru } from "./words-ru.ts";
import { zh } from "./words-zh.ts";

export type Sentence =
  | ("usage" | "connecting" | "imported" | "ignored" | "removed" | "reset" | "no-nodes")
  | ("off-no-network" | "no-file" | "file-closed" | "nothing-added")
  | ("no-rules" | "rest" | "saved" | "saved-until" | "confirmed" | "no-rule" | "bad-match")
  | (
      | "list-read"
      | "list-line"
      | "list-more"
      | "list-too-many"
      | "list-empty"
      | "list-bad"
      | "list-progress"
      | "list-one"
    )
  | ("no-program" | "no-user" | "proof-holds" | "proof-would" | "proof-none" | "proof-breaks" | "packet" | "limit")
  | ("no-apps" | "app" | "app-runs" | "app-older" | "app-limits" | "reopened" | "reopen-hint")
  | ("same" | "more" | "nothing-found" | "repaired" | "still")
  | ("drift-mended" | "drift-offered" | "drift-seen" | "somebody");
export type TraceWord =
  | ("names" | "wish" | "rule" | "route" | "source" | "line" | "end" | "kernel" | "mode" | "asked" | "hits" | "mtu")
  | ("node" | "same" | "would" | "protocol" | "reroute" | "foreign" | "left" | "via" | "delivered" | "dropped")
  | "refused";
type Data = Readonly<Record<string, unknown>>;
type Line =
  "uplinks" | "inside" | "seen-as" | "dns" | "ipv6" | "direct" | "stand-in" | "outranked" | "proven" | "unproven";

export interface Catalogue {
  readonly sentences: Readonly<Record<Sentence, string>>;
  readonly states: Readonly<Record<State["kind"] | "off-held", string>>;
  readonly causes: Readonly<Record<LockCause, string>>;
  readonly ipv6: Readonly<Record<Status["ipv6"], string>>;
  readonly lines: Readonly<Record<Line, string>>;
  readonly trace: Readonly<Record<TraceWord, string>>;
  readonly lanes: Readonly<Record<Explanation["lane"], string>>;
  readonly held: Readonly<Record<AppHeld["by"], string>>;
  readonly appLimits: Readonly<Record<AppLimit, string>>;
  readonly findings: Readonly<Record<Finding["kind"], string>>;
  readonly checks: Readonly<Record<LeakCheck["name"], string>>;
  readonly verdicts: Readonly<Record<LeakCheck["verdict"], string>>;
  /** By code, as the notes. */
  readonly evidence: Readonly<Record<string, string>>;
  /** By code; what is not here is shown as its code with its data. */
  readonly notes: Readonly<Record<string, string>>;
  readonly refusals: Readonly<Record<RefusalCode, string>>;
}

export interface Words {
  readonly say: (sentence: Sentence, data: Readonly<Record<string, string | number>>) => string;
  readonly trace: (word: TraceWord, data?: Data) => string;
  readonly lane: (lane: Explanation["lane"]) => string;
  readonly held: (by: AppHeld["by"]) => string;
  readonly appLimit: (limit: AppLimit) => string;
  readonly finding: (kind: Finding["kind"]) => string;
  readonly note: (note: Note) => string;
  /** Name, verdict, evidence. */
  readonly leak: (check: LeakCheck) => readonly [string, string, string];
  readonly drift: (drift: Drift) => string;
  readonly refusal: (refusal: Refusal) => string;
  readonly state: (state: State) => string;
  readonly status: (status: Status) => string;
}

export function wordsFor(locale: string): Words {
  const language = /^(ru|zh)/i.exec(locale)?.[1]?.toLowerCase();
  return wordsOf(language === "ru" ? ru : language === "zh" ? zh : en);
}

function wordsOf(c: Catalogue): Words {
  const refusal = (r: Refusal): string => fill(c.refusals[r.code], r.data);
  const state = (s: State): string => {
    switch (s.kind) {
      case "off":
        return c.states.off;
      case "failed":
        return fill(c.states.failed, { node: s.node?.name ?? "", why: refusal(s.refusal) });
      case "switching":
        return fill(c.states.switching, { from: s.from.name, to: s.to.name });
      case "locked":
        return fill(c.states.locked, {
          node: s.node.name,
          why: s.by === undefined ? c.causes[s.cause] : `${c.causes[s.cause]} (${s.by})`,
        });
      case "connecting":
      case "connected":
        return fill(c.states[s.kind], { node: s.node.name, endpoint: s.node.endpoint });
    }
  };
  const drift = ({ at, what, author, mended, finding }: Drift): string => {
    const kind = mended ? "drift-mended" : finding === undefined ? "drift-seen" : "drift-offered";
    const data = { time: clock(at), who: author ?? c.sentences.somebody, what, id: finding ?? "" };
    return fill(c.sentences[kind], data);
  };
  return {
    say: (sentence, data) => fill(c.sentences[sentence], data),
    trace: (word, data = {}) => fill(c.trace[word], data),
    lane: (lane) => c.lanes[lane],
    held: (by) => c.held[by],
    appLimit: (limit) => c.appLimits[limit],
    finding: (kind) => c.findings[kind],
    note: (note) => byCode(c.notes, note),
    leak: ({ name, verdict, evidence }) => [c.checks[name], c.verdicts[verdict], byCode(c.evidence, evidence)],
    drift,
    refusal,
    state,
    status(s) {
      const line = (name: Line, values: readonly (string | null)[]): string[] => {
        const there = values.filter((v) => v !== null && v !== "");
        return there.length === 0 ? [] : [`${c.lines[name]}: ${there.join(", ")}`];
      };
      const shut = s.state.kind !== "off" && s.state.kind !== "failed";
      // without a way out nothing goes, in the open or otherwise
      const adrift = s.uplinks.length === 0 && !shut;
      const off = s.notices.includes("gate.at-rest") ? c.states["off-held"] : c.states.off;
      const told = s.state.kind === "off" ? off : state(s.state);
      return [
        adrift && s.state.kind === "off" ? c.sentences["off-no-network"] : told,
        ...line(
          "uplinks",
          s.uplinks.map((u) => `${u.name} (${u.addresses.join(" ")})`),
        ),
        ...line("inside", s.inside),
        ...line("seen-as", [s.seenAs.ipv4, s.seenAs.ipv6]),
        ...line("dns", s.dns.servers),
        ...(adrift ? [] : line("ipv6", [c.ipv6[s.ipv6]])),
        ...line(
          "direct",
          s.direct.map((d) => d.text),
        ),
        ...(shut ? [c.lines[s.proof === null ? "unproven" : "proven"]] : []),
        ...s.notices.map((notice) => noticeOf(c, notice)),
        ...(s.confirm === undefined ? [] : [fill(c.sentences["saved-until"], { until: clock(s.confirm.until) })]),
        ...s.drift.map(drift),
      ].join("\n");
    },
  };
}

/** Those that a plan can have too are said alike; of a plan it is known besides what outranks it. */
function noticeOf(c: Catalogue, notice: Status["notices"][number]): string {
  if (notice === "engine.stand-in") return c.lines["stand-in"];
  if (notice === "form.outranked") return c.lines.outranked;
  return c.notes[notice] ?? notice;
}

function byCode(sentences: Readonly<Record<string, string>>, { code, data }: Note): string {
  const sentence = Object.hasOwn(sentences, code) ? sentences[code] : undefined;
  if (sentence !== undefined) return fill(sentence, data);
  return [code, ...Object.entries(data).map(([key, value]) => `${key}=${String(value)}`)].join(" ");
}

/** Hours, minutes and seconds of this machine's clock. */
export function clock(at: number): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

/** `{name}` in a sentence; what is not given is left out. */
function fill(sentence: string, data: Data): string {
  return sentence
    .replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = data[name];
      return typeof value === "string" || typeof value === "number" ? String(value) : "";
    })
    .trimEnd();
}
