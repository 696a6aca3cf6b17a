import { expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import type { Tally } from "../kernel/canaries.ts";
import type { WireAllowed } from "../kernel/native.ts";
import { canaryTargets, judgeCanaries } from "./canary-verdict.ts";

const nothing: WireAllowed = { endpoints: [], inside: [], near: [], lan: [], lanes: [], resolvers: [], answers: [] };
const lane = (direct: boolean, ...to: string[]) => ({
  ...{ direct, to: to.length === 0 ? null : (to as Prefix[]), protocol: null, ports: null, marked: false },
});
const first = () => 0;
const sockets = (allowed: WireAllowed) => canaryTargets(allowed, draws()).sockets;

test("canaries of each family go to addresses that are nobody's, raw frames to others than sockets", () => {
  expect(canaryTargets(nothing, draws())).toEqual({
    frames: ["203.0.113.1", "2001:db8::4"],
    sockets: [
      { address: "203.0.113.5", bySight: true },
      { address: "2001:db8::8", bySight: true },
    ],
  });
  expect(canaryTargets(nothing, (below) => below - 1).frames[0]).toBe("203.0.113.254");
});

test("where both go to the same address it does not tell them apart", () => {
  expect(canaryTargets(nothing, first).sockets.map((target) => target.bySight)).toEqual([false, false]);
});

test("none goes where policy sends it by an uplink; where everybody is a neighbour only the packet itself is a sign", () => {
  const lanes = [lane(true, "203.0.113.0/24"), lane(false, "198.51.100.0/25")];
  const near = [{ link: "ppp0", prefix: "0.0.0.0/0" as Prefix }];
  const [four] = sockets({ ...nothing, lanes, near });
  expect(four?.address).toMatch(/^198\.51\.100\./);
  expect(four?.bySight).toBe(false);
});

test("where only some prefixes go into the tunnel canaries go there, and where none of a family does there is none", () => {
  const only = [lane(false, "8.8.0.0/16"), lane(true)];
  const all = sockets({ ...nothing, lanes: only });
  expect(all).toHaveLength(1);
  expect(all[0]?.address).toMatch(/^8\.8\./);
});

test("what was seen leaks, even when more could not be seen", () => {
  const seen: Tally = { tried: 4, refused: 2, seen: 1, failed: null };
  for (const blind of [null, { why: "silent" }, { why: "missed", count: 3 }] as const) {
    expect(judgeCanaries(seen, blind)).toEqual({
      verdict: "leaks",
      evidence: { code: "canaries-seen", data: { seen: 1, tried: 4 } },
    });
  }
});

test("nothing seen holds only where all was tried and the watch is known to see", () => {
  const held: Tally = { tried: 4, refused: 3, seen: 0, failed: null };
  const told = (tally: Tally, blind: Parameters<typeof judgeCanaries>[1]) => {
    const { verdict, evidence } = judgeCanaries(tally, blind);
    return [verdict, evidence.code];
  };
  expect(told(held, null)).toEqual(["holds", "canaries-held"]);
  expect(told(held, { why: "silent" })).toEqual(["not-checked", "wire-silent"]);
  expect(told(held, { why: "not-watched" })).toEqual(["not-checked", "wire-not-watched"]);
  expect(told(held, { why: "missed", count: 3 })).toEqual(["not-checked", "wire-missed"]);
  expect(told({ ...held, tried: 0, refused: 0, failed: "ENETDOWN" }, null)).toEqual([
    "not-checked",
    "canaries-not-sent",
  ]);
});

/** 0, 1, 2, … */
function draws(): (below: number) => number {
  let next = 0;
  return (below) => next++ % below;
}
