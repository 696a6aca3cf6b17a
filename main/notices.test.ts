import { expect, test } from "vitest";

import { statusOf } from "./fake-helper.ts";
import { noticeOf } from "./notices.ts";
import type { Say } from "./tray-menu.ts";

const node = { id: "A".repeat(44), name: "Harbourton", endpoint: "192.0.2.1:51820" };
const off = statusOf({ kind: "off" });
const connected = statusOf({ kind: "connected", node });
const locked = statusOf({ kind: "locked", node, cause: "node-silent", attempts: 1, lastHeard: null });
const say: Say = (key, data = {}) => [key, ...(key === "words.locked-but" ? [data["what"]] : [])].join(" ");

test("the gate closing is told once, and its opening", () => {
  expect(noticeOf(connected, locked, say)?.title).toBe("now.locked.node-silent");
  expect(noticeOf(locked, locked, say)).toBeUndefined();
  expect(noticeOf(locked, connected, say)?.title).toBe("now.protected · Harbourton");
});

test("a window that starts while the gate is closed tells it", () => {
  expect(noticeOf(null, locked, say)?.title).toBe("now.locked.node-silent");
});

test("what the person did is not told back", () => {
  expect(noticeOf(off, connected, say)).toBeUndefined();
  expect(noticeOf(connected, off, say)).toBeUndefined();
});

test("a direct lane that stays open is named", () => {
  const lan = { kind: "lan", text: "198.51.100.0/24" } as const;
  const open = { ...locked, direct: [lan, lan, { kind: "rule", text: "Printer" } as const] };
  expect(noticeOf(connected, locked, say)?.body).toBe("words.locked");
  expect(noticeOf(connected, open, say)?.body).toBe("words.locked-but words.lan, Printer");
});
