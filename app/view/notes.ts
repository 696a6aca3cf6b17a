// What a person should look at while the tunnel is up, and what can be done about it right there: ways past the gate, what
// somebody else changed on this machine, with who and what, and whether it was put back or waits for the person's word.
import type { Drift, Status } from "../../helper/contract/status.ts";
import { clock, say, type Say } from "./say.ts";

export type NoteAct =
  | { readonly kind: "repair"; readonly finding: string; readonly say: Say }
  /** Nothing is changed; the note goes. */
  | { readonly kind: "leave"; readonly say: Say };

export interface Note {
  /** Equal for the same thing, so that what was put away stays away. */
  readonly id: string;
  readonly say: Say;
  readonly acts: readonly NoteAct[];
}

/** More than these would push the readings out of the window; the rest is counted. */
const shownChanges = 2;

export function notesOf(status: Status | null, away: ReadonlySet<string>): readonly Note[] {
  if (status === null || status.state.kind === "off") return [];
  const bypass = status.notices
    .filter((notice) => notice.startsWith("bypass."))
    .map((notice): Note => ({ id: notice, say: say(`notice.${notice}`), acts: [] }));
  const changes = [...status.drift]
    .sort((a, b) => Number(b.finding !== undefined) - Number(a.finding !== undefined) || b.at - a.at)
    // one that is neither mended nor offered stands in the headline: the proof is being renewed for it
    .filter((drift) => drift.mended || drift.finding !== undefined)
    .map(noteOf)
    .filter((note) => !away.has(note.id));
  const more = changes.length - shownChanges;
  return [
    ...bypass,
    ...changes.slice(0, shownChanges),
    ...(more > 0 ? [{ id: "more", say: say("who.more-changes", { count: more }), acts: [] }] : []),
  ];
}

function noteOf(drift: Drift): Note {
  const { at, finding } = drift;
  const data = { time: clock(at, true), who: drift.author ?? say("who.someone"), what: drift.what };
  const id = `${finding ?? "mended"} ${String(at)} ${drift.what}`;
  if (finding === undefined)
    return { id, say: say("who.mended", data), acts: [{ kind: "leave", say: say("act.seen") }] };
  return {
    id,
    say: say("who.offered", data),
    acts: [
      { kind: "leave", say: say("act.leave") },
      { kind: "repair", finding, say: say("act.repair") },
    ],
  };
}
