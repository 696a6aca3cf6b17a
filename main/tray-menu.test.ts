import { expect, test } from "vitest";

import type { State } from "../helper/contract/status.ts";
import { nodeOf, statusOf } from "./fake-helper.ts";
import { recentNodes, type Say, trayView } from "./tray-menu.ts";

const harbourton = nodeOf("A", "Harbourton", { lastUsed: 2000 });
const milldale = nodeOf("B", "Milldale", { lastUsed: 1000 });
const elsewhere = nodeOf("C", "Elsewhere");
const nodes = [elsewhere, milldale, harbourton];
const at = { id: harbourton.id, name: harbourton.name, endpoint: "192.0.2.1:51820" };

// the key with its data: which sentence was chosen is what is tested, not its words
const say: Say = (key, data = {}) => [key, ...Object.values(data)].join(" ");

test("off: offers the node used last, then the recent ones", () => {
  expect(drawn({ kind: "off" })).toBe(`off | now.off
  (now.off)
  act.connect Harbourton → connect A
  ---
  [ ] Harbourton → connect A
  [ ] Milldale → connect B
  ---
  tray.open → open
  tray.quit → quit`);
});

test("off without a network: says so, and offers nothing that would be refused", () => {
  const status = { ...statusOf({ kind: "off" }), uplinks: [] };
  expect(print(trayView(status, nodes, say))).toBe(`off | now.no-uplink
  (now.no-uplink)
  ---
  tray.open → open
  tray.quit → quit`);
  const locked: State = { kind: "locked", node: at, cause: "node-silent", attempts: 0, lastHeard: null };
  expect(print(trayView({ ...statusOf(locked), uplinks: [] }, nodes, say))).toContain("tray.disconnect-locked");
});

test("connected: names the node, ticks it, offers to disconnect", () => {
  expect(drawn({ kind: "connected", node: at })).toBe(`protected | now.protected · Harbourton
  (now.protected · Harbourton)
  act.disconnect → disconnect
  ---
  [x] Harbourton → connect A
  [ ] Milldale → connect B
  ---
  tray.open → open
  tray.quit-protected → quit`);
});

test("locked: says that disconnecting opens the gate", () => {
  const view = drawn({ kind: "locked", node: at, cause: "engine-died", attempts: 1, lastHeard: null });
  expect(view).toContain("locked | now.locked.engine-died Harbourton");
  expect(view).toContain("tray.disconnect-locked → disconnect");
});

test.each<[State, string]>([
  [{ kind: "connecting", node: at, steps: [] }, "connecting | now.connecting Harbourton"],
  [
    { kind: "switching", from: at, to: { ...at, id: milldale.id, name: "Milldale" }, steps: [] },
    "connecting | now.switching Milldale",
  ],
  [{ kind: "failed", node: at, refusal: { code: "node.unreachable", data: {} } }, "off | now.failed"],
])("%o has its icon and sentence", (state, first) => {
  expect(drawn(state).split("\n")[0]).toBe(first);
});

test("without a helper nothing is claimed and nothing offered but the window and the end", () => {
  expect(print(trayView(null, nodes, say))).toBe(`off | now.unheard
  (now.unheard)
  ---
  tray.open → open
  tray.quit → quit`);
});

test("without any node the way to add one is offered", () => {
  expect(print(trayView(statusOf({ kind: "off" }), [], say))).toContain("add.title → add-node");
});

test("recent nodes are the last used, then favourites, five at most", () => {
  const used = ["D", "E", "F", "G", "H"].map((letter, i) => nodeOf(letter, letter, { lastUsed: 100 - i }));
  const liked = nodeOf("I", "I", { favourite: true });
  expect(recentNodes([liked, elsewhere, ...used.slice(3)]).map((n) => n.name)).toEqual(["G", "H", "I"]);
  expect(recentNodes([liked, ...used, harbourton])).toHaveLength(5);
});

function drawn(state: State): string {
  return print(trayView(statusOf(state), nodes, say));
}

function print(view: ReturnType<typeof trayView>): string {
  const lines = view.items.map((item) => {
    if (item.kind === "line") return "---";
    if (item.kind === "text") return `(${item.label})`;
    const box = item.checked === undefined ? "" : item.checked ? "[x] " : "[ ] ";
    const node = item.action.kind === "connect" ? ` ${item.action.node.slice(0, 1)}` : "";
    return `${box}${item.label} → ${item.action.kind}${node}`;
  });
  return `${view.icon} | ${view.tooltip.replace("Culvert: ", "")}\n  ${lines.join("\n  ")}`;
}
