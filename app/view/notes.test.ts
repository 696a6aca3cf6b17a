// What is told of other programs' changes, and what can be done about each.
import { expect, test } from "vitest";

import type { Drift } from "../../helper/contract/status.ts";
import { speaker } from "../words/speak.ts";
import { connectView } from "./connect.ts";
import { notesOf } from "./notes.ts";
import { facts, now, ref, status } from "./samples.ts";

const speak = speaker("en");
const nothing: ReadonlySet<string> = new Set();
const drift = (what: string, change: Partial<Drift> = {}): Drift => ({
  at: now - 1000,
  what,
  author: "othervpn",
  mended: true,
  ...change,
});
const up = (...drifts: Drift[]) => status({ kind: "connected", node: ref }, { drift: drifts });
const said = (...drifts: Drift[]): string[] => notesOf(up(...drifts), nothing).map((note) => speak(note.say));

test("what waits for the person's word stands before what was mended, and can be put back or left", () => {
  const notes = notesOf(
    up(drift("rule 4900 deleted"), drift("rule 100", { at: now - 9000, mended: false, finding: "f1" })),
    nothing,
  );
  expect(notes.map((note) => note.acts.map((act) => act.kind))).toEqual([["leave", "repair"], ["leave"]]);
  expect(speak(notes[0]?.say ?? "")).toContain("othervpn changed the machine: rule 100.");
});

test("a change that is neither mended nor offered is the headline's, not a note's", () => {
  expect(said(drift("route 10.8.0.0/24", { mended: false }))).toEqual([]);
});

test("where the kernel does not tell who it was, nobody is named", () => {
  expect(said(drift("rule 4900 deleted", { author: null }))[0]).toContain("Another program changed the machine");
});

test("what was put away stays away, and the same change made anew comes again", () => {
  const first = drift("rule 4900 deleted");
  const away = new Set(notesOf(up(first), nothing).map((note) => note.id));
  expect(notesOf(up(first), away)).toEqual([]);
  expect(notesOf(up(first, { ...first, at: now }), away)).toHaveLength(1);
});

test("more than two changes are counted", () => {
  const many = [1, 2, 3, 4].map((n) => drift(`rule ${String(n)} deleted`, { at: now - n }));
  expect(said(...many)).toHaveLength(3);
  expect(said(...many).at(-1)).toBe("and 2 changes more");
});

test("while off nothing is told of", () => {
  expect(notesOf({ ...up(drift("rule")), state: { kind: "off" } }, nothing)).toEqual([]);
});

test("who fights is named with the last thing it did", () => {
  const fight = { kind: "locked", node: ref, cause: "fight", attempts: 0, lastHeard: now } as const;
  const who = (by: string): string => {
    const locked = status({ ...fight, by }, { drift: [drift("rule 4900 deleted")] });
    return speak(connectView(facts({ status: locked })).who[0] ?? "");
  };
  expect(who("othervpn")).toBe("othervpn keeps changing what Culvert laid: rule 4900 deleted. Stop it, or disconnect.");
  expect(who("wg-quick")).toBe("wg-quick keeps changing what Culvert laid. Stop it, or disconnect.");
});
