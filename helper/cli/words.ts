// Every sentence the command line says, in the user's language: LC_ALL, LC_MESSAGES or LANG decide, English where they name
// none of ours. A catalogue that lacks a refusal or a state does not compile.
import type { Refusal, RefusalCode } from "../contract/refusal.ts";
import type { LockCause, State, Status } from "../contract/status.ts";
import { en } from "./words-en.ts";
import { ru } from "./words-ru.ts";
import { zh } from "./words-zh.ts";

export type Sentence = "usage" | "connecting" | "imported" | "ignored" | "removed" | "reset" | "no-nodes";
type Line = "uplinks" | "inside" | "seen-as" | "dns" | "ipv6" | "direct" | "drift" | "stand-in" | "proven" | "unproven";

export interface Catalogue {
  readonly sentences: Readonly<Record<Sentence, string>>;
  readonly states: Readonly<Record<State["kind"], string>>;
  readonly causes: Readonly<Record<LockCause, string>>;
  readonly ipv6: Readonly<Record<Status["ipv6"], string>>;
  readonly lines: Readonly<Record<Line, string>>;
  readonly refusals: Readonly<Record<RefusalCode, string>>;
}

export interface Words {
  readonly say: (sentence: Sentence, data: Readonly<Record<string, string | number>>) => string;
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
        return fill(c.states.locked, { node: s.node.name, why: c.causes[s.cause] });
      case "connecting":
      case "connected":
        return fill(c.states[s.kind], { node: s.node.name, endpoint: s.node.endpoint });
    }
  };
  return {
    say: (sentence, data) => fill(c.sentences[sentence], data),
    refusal,
    state,
    status(s) {
      const line = (name: Line, values: readonly (string | null)[]): string[] => {
        const there = values.filter((v) => v !== null && v !== "");
        return there.length === 0 ? [] : [`${c.lines[name]}: ${there.join(", ")}`];
      };
      const shut = s.state.kind !== "off" && s.state.kind !== "failed";
      return [
        state(s.state),
        ...line(
          "uplinks",
          s.uplinks.map((u) => `${u.name} (${u.addresses.join(" ")})`),
        ),
        ...line("inside", s.inside),
        ...line("seen-as", [s.seenAs.ipv4, s.seenAs.ipv6]),
        ...line("dns", s.dns.servers),
        ...line("ipv6", [c.ipv6[s.ipv6]]),
        ...line(
          "direct",
          s.direct.map((d) => d.text),
        ),
        ...(shut ? [c.lines[s.proof === null ? "unproven" : "proven"]] : []),
        ...(s.notices.includes("engine.stand-in") ? [c.lines["stand-in"]] : []),
        ...s.drift.map((d) => `${c.lines.drift}: ${d.what}${d.author === null ? "" : ` (${d.author})`}`),
      ].join("\n");
    },
  };
}

/** `{name}` in a sentence; what is not given is left out. */
function fill(sentence: string, data: Readonly<Record<string, unknown>>): string {
  return sentence
    .replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = data[name];
      return typeof value === "string" || typeof value === "number" ? String(value) : "";
    })
    .trimEnd();
}
