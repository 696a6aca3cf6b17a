// The picture draws what is so: no line to the internet without a way there, the gate's bar at the machine.
import { expect, test } from "vitest";

import type { State } from "../../helper/contract/status.ts";
import { speaker, languages } from "../words/speak.ts";
import type { Facts } from "./connect.ts";
import { fit, pathPicture, textWidth, type Picture, type Shape } from "./path.ts";
import { pathFacts } from "./path-facts.ts";
import { facts, now, policy, ref, status, traffic } from "./samples.ts";
import { situationOf } from "./situation.ts";

const picture = (change: Partial<Facts>, width = 856, language: (typeof languages)[number] = "en"): Picture => {
  const all = facts({ traffic: traffic(), ...change });
  return pathPicture(pathFacts(situationOf(all), all, speaker(language)), width, 322);
};
const lines = (made: Picture, look: string): Shape[] => made.shapes.filter((s) => s.kind === "line" && s.look === look);
const words = (made: Picture): string[] => made.shapes.flatMap((s) => (s.kind === "text" ? [s.text] : []));
/** How far to the right a horizontal line goes. */
const reach = (made: Picture, look: string): number =>
  Math.max(0, ...lines(made, look).flatMap((s) => (s.kind === "line" ? [Number(/H(\d+)$/.exec(s.d)?.[1] ?? 0)] : [])));
const locked: State = { kind: "locked", node: ref, cause: "node-silent", attempts: 1, lastHeard: now };

test("connected, the tunnel reaches the internet", () => {
  const made = picture({});
  expect(reach(made, "tunnel")).toBeGreaterThan(700);
  expect(lines(made, "gate")).toEqual([]);
});

test("locked, the tunnel ends at the gate beside the machine and the node carries a cross", () => {
  const made = picture({ status: status(locked) });
  expect(reach(made, "tunnel")).toBeLessThan(260);
  expect(lines(made, "gate")).toHaveLength(1);
  expect(made.shapes.some((s) => s.kind === "stop" && s.look === "node-dead")).toBe(true);
});

test("the local network's lane ends at the uplink; only rules go on to the internet", () => {
  const lan = { kind: "lan" as const, text: "198.51.100.0/26" };
  const home = picture({ status: status({ kind: "connected", node: ref }, { direct: [lan] }) });
  expect(reach(home, "direct")).toBeLessThan(400);
  const both = picture({
    status: status({ kind: "connected", node: ref }, { direct: [lan, { kind: "rule", text: "Backup" }] }),
  });
  expect(reach(both, "direct")).toBeGreaterThan(700);
  expect(words(both)).toContain("Backup");
});

test("off, everything goes by the direct lane and no tunnel is drawn", () => {
  const made = picture({ status: status({ kind: "off" }) });
  expect(lines(made, "tunnel")).toEqual([]);
  expect(reach(made, "direct")).toBeGreaterThan(700);
});

test("without a network nothing is drawn to the internet", () => {
  for (const state of [{ kind: "off" }, { ...locked, cause: "uplink-lost" }] as const) {
    const made = picture({ status: status(state, { uplinks: [] }) });
    expect(Math.max(reach(made, "direct"), reach(made, "tunnel"), reach(made, "casing-idle"))).toBeLessThan(300);
    expect(lines(made, "kerb")).toEqual([]);
  }
});

test("where nothing is known nothing is drawn but the plates", () => {
  const made = picture({ link: { kind: "absent" }, status: null });
  expect([...lines(made, "tunnel"), ...lines(made, "direct"), ...lines(made, "gate")]).toEqual([]);
});

test("connecting is drawn only once the gate is closed", () => {
  const steps = (done: boolean): State => ({
    kind: "connecting",
    node: ref,
    steps: [{ name: "gate-closed", state: done ? "done" : "running", tookMs: null }],
  });
  expect(reach(picture({ status: status(steps(false)) }), "direct")).toBeGreaterThan(700);
  expect(reach(picture({ status: status(steps(true)) }), "direct")).toBeLessThan(260);
});

test("with only chosen traffic in the tunnel the rest goes direct to the internet", () => {
  expect(reach(picture({ policy: { ...policy, mode: "only" } }), "direct")).toBeGreaterThan(700);
});

test.each(languages)("lanes keep their heights in all states in %s", (language) => {
  const heights = [{ kind: "off" }, locked, { kind: "connected", node: ref }].map((state) => {
    const made = picture({ status: status(state as State) }, 856, language);
    const name = speaker(language)({ kind: "say", key: "lane.direct", data: {} });
    return made.shapes.find((s) => s.kind === "text" && s.text === name);
  });
  expect(new Set(heights.map((shape) => (shape?.kind === "text" ? shape.y : NaN))).size).toBe(1);
});

test.each(languages)("no word leaves the picture at any width in %s", (language) => {
  const long = { ...ref, name: "Harbourton upon the Very Long Estuary by the Sea" };
  for (const width of [420, 480, 560, 676, 739, 740, 856, 1376])
    for (const state of [{ kind: "off" }, { ...locked, node: long }, { kind: "connected", node: long }] as State[]) {
      const made = picture({ status: status(state, { host: "a-host-with-a-very-long-name" }) }, width, language);
      for (const shape of made.shapes) {
        if (shape.kind !== "text") continue;
        const wide = textWidth(shape.text, 12);
        const left = shape.anchor === "start" ? shape.x : shape.anchor === "end" ? shape.x - wide : shape.x - wide / 2;
        expect([shape.text, left >= -8, left + wide <= width + 8]).toEqual([shape.text, true, true]);
      }
    }
});

test("what does not fit is shortened at its end", () => {
  expect(fit("Harbourton", 200, 14)).toBe("Harbourton");
  expect(fit("Harbourton", 50, 14)).toMatch(/^Har.*…$/);
  expect(fit("Harbourton", 2, 14)).toBe("");
});

test("names above the road and the node never touch, however long", () => {
  const long = "2001:db8:85a3:8d3:1319:8a2e:370:7348";
  const node = { ...ref, name: "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" };
  const uplinks = [{ ...status({ kind: "off" }).uplinks[0], name: "enx00e04c680123", gateways: [long] }];
  for (const width of [440, 560, 856, 1376]) {
    const change = { uplinks } as unknown as Partial<ReturnType<typeof status>>;
    const made = picture({ status: status({ kind: "connected", node }, change) }, width);
    const above = made.shapes.flatMap((s) => (s.kind === "text" && s.y < 56 ? [s] : []));
    for (const [row, size] of [
      [[16], 14],
      [[34, 35], 14],
      [[51, 52], 12.2],
    ] as const) {
      const [left, right] = above.filter((s) => row.some((y) => y === s.y)).sort((a, b) => a.x - b.x);
      if (left === undefined || right === undefined) continue;
      const mono = left.look === "mono" ? 12.2 : size;
      expect(left.x + textWidth(left.text, mono) / 2).toBeLessThan(right.x - textWidth(right.text, size) / 2);
    }
  }
});
