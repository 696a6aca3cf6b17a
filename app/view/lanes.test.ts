// The board, its track, the draft's moves and what is said of them.
import { expect, test } from "vitest";

import type { Policy } from "../../helper/contract/policy.ts";
import { speaker } from "../words/speak.ts";
import { boardRuns } from "./board.ts";
import { differences } from "./differences.ts";
import { besideLane, laneWanted, presetOf, withPreset, withRule, withRuleAt } from "./draft.ts";
import { parsePrefixes } from "./prefixes.ts";
import { sayNote } from "./plan-notes.ts";
import { policy, rule, status } from "./samples.ts";
import { cardHeight, layTrack, placeAt, placeOf, slotAt } from "./track.ts";

const speak = speaker("en");
const own: Policy = {
  ...policy,
  rules: [rule("a", "block"), rule("b", "block"), rule("c", "tunnel"), rule("d", "direct")],
};
const lanesOf = (draft: Policy): string[] =>
  boardRuns(draft, status({ kind: "off" })).map((run) => `${run.lane}:${run.cards.map((c) => c.id).join("+")}`);
const said = (draft: Policy): string[] => differences(own, draft).map(speak);

test("neighbouring rules of one lane stand in one column; the ends stand alone", () => {
  expect(lanesOf(own)).toEqual(["direct:lan", "block:a+b", "tunnel:c", "direct:d", "tunnel:rest"]);
});

test("blocked IPv6 comes first, because no rule gets it out", () => {
  expect(lanesOf({ ...own, ipv6: "block" })[0]).toBe("block:ipv6");
});

test("where only chosen traffic is tunnelled, everything else is direct", () => {
  expect(lanesOf({ ...policy, mode: "only" })).toEqual(["direct:lan", "direct:rest"]);
});

test("a rule moves in order and between lanes, and stops at the ends", () => {
  expect(withRuleAt(own, "c", 0, "direct").rules.map((r) => `${r.id}:${r.lane}`)).toEqual([
    "c:direct",
    "a:block",
    "b:block",
    "d:direct",
  ]);
  expect(withRuleAt(own, "a", 99, "block").rules.map((r) => r.id)).toEqual(["b", "c", "d", "a"]);
  expect([besideLane("tunnel", -1), besideLane("tunnel", 1), besideLane("block", 1)]).toEqual([
    "tunnel",
    "direct",
    "block",
  ]);
});

test("a preset is a lane for everything else, and only “everything” takes exceptions away", () => {
  expect(withPreset(own, "but").rules).toEqual(own.rules);
  expect(withPreset(own, "only")).toEqual({ ...own, mode: "only" });
  expect(withPreset(own, "all").rules.map((r) => r.id)).toEqual(["a", "b", "c"]);
  expect([own, withPreset(own, "all"), withPreset(own, "only")].map(presetOf)).toEqual(["but", "all", "only"]);
});

test("a preset that is about exceptions asks for the first one, and only for the first", () => {
  expect((["all", "but", "only"] as const).map((name) => laneWanted(withPreset(policy, name), name))).toEqual([
    null,
    "direct",
    "tunnel",
  ]);
  expect(laneWanted(own, "but")).toBeNull();
});

test("each difference is one sentence", () => {
  expect(said(own)).toEqual([]);
  expect(said(withRuleAt(own, "c", 2, "direct"))).toEqual([
    "c goes out directly; those it is sent to see your own address. Until now: through the tunnel.",
  ]);
  expect(said(withRule(own, rule("e", "block")))).toEqual(["e is refused."]);
  expect(said({ ...own, rules: own.rules.slice(1) })).toEqual([
    "a has no rule of its own any more; what follows decides.",
  ]);
  expect(said(withRuleAt(own, "d", 0, "direct"))).toEqual(["d is asked before a."]);
  expect(said(withRule(own, rule("a", "block", "192.0.2.0/24")))).toEqual([
    "a is for something else than until now: 192.0.2.0/24.",
  ]);
  expect(said({ ...own, lan: { ...own.lan, allow: false }, ipv6: "block" })).toHaveLength(2);
});

test("the board is as wide as its columns need, and every column stands right of the one before", () => {
  for (const width of [476, 676, 856, 1376]) {
    const track = layTrack(boardRuns(own, null), width);
    expect(track.width).toBeGreaterThanOrEqual(width);
    const xs = track.runs.map((run) => run.x);
    expect(xs).toEqual([...xs].sort((a, b) => a - b));
    expect((track.runs.at(-1)?.x ?? 0) + (track.runs.at(-1)?.width ?? 0)).toBeLessThanOrEqual(track.width);
  }
});

test("a turn leaves a gap where it crosses a lane that has begun", () => {
  const track = layTrack(boardRuns(own, null), 856);
  // to the block lane over direct (begun by the LAN), to the second direct card over the tunnel (begun by c)
  expect(track.crossings).toHaveLength(2);
});

test("a card dropped over a lane takes it, at the place under the hand", () => {
  const track = layTrack(boardRuns(own, null), 1200);
  const first = track.runs[1];
  const last = track.runs.at(-1);
  expect(placeAt(track, (first?.x ?? 0) - 5, track.rows.tunnel.line, "d")).toEqual({ lane: "tunnel", place: 0 });
  expect(placeAt(track, (last?.x ?? 0) + 20, track.rows.direct.line, "a")).toEqual({ lane: "direct", place: 3 });
  expect(placeAt(track, 5000, 5000, "a").lane).toBe("block");
});

test("typed networks are parsed as the helper does, and the bad word is named with its line", () => {
  expect(parsePrefixes("192.0.2.77/24, 2001:DB8::/32\n192.0.2.0/24")).toEqual({
    ok: true,
    prefixes: ["192.0.2.0/24", "2001:db8::/32"],
  });
  const bad = parsePrefixes("192.0.2.0/24\n10.0.0");
  expect(bad.ok ? "" : speak(bad.say)).toBe("Line 2 is no network and no address: “10.0.0”.");
  expect(parsePrefixes("  \n").ok).toBe(false);
});

test("a plan's note is told in words, with the rule's own name", () => {
  expect(
    speak(sayNote({ code: "rule.dead", data: { rule: "a" } }, [{ ...rule("a", "block"), name: "Telemetry" }])),
  ).toMatch(/^Telemetry never decides/);
  expect(speak(sayNote({ code: "exit.partial", data: { family: 6 } }, []))).toContain("IPv6");
  expect(speak(sayNote({ code: "newer.code", data: { n: 1 } }, []))).toBe("newer.code n=1");
});

test("the slot of a lifted card stands where the card will", () => {
  const track = layTrack(boardRuns(own, null), 1200);
  const at = (id: string) => placeOf(track, id);
  // below the neighbour it joins, where its stack ends
  expect(slotAt(track, "d", { lane: "tunnel", place: 3 })).toMatchObject({
    x: at("c")?.x,
    y: (at("c")?.y ?? 0) + cardHeight + 6,
    height: cardHeight,
  });
  // between two cards of a stack there is only the gap
  expect(slotAt(track, "d", { lane: "block", place: 1 }).height).toBe(6);
  // alone in its lane it stands between its neighbours' columns
  const alone = slotAt(track, "a", { lane: "direct", place: 1 });
  expect(alone.x).toBeGreaterThan(at("b")?.x ?? 0);
  expect(alone.x).toBeLessThan(at("c")?.x ?? 0);
  expect(alone.y).toBe(track.rows.direct.top);
});
