import { expect, test } from "vitest";

import { statusOf } from "./fake-helper.ts";
import { noticeOf } from "./notices.ts";

const node = { id: "A".repeat(44), name: "Harbourton", endpoint: "192.0.2.1:51820" };
const off = statusOf({ kind: "off" });
const connected = statusOf({ kind: "connected", node });
const locked = statusOf({ kind: "locked", node, cause: "node-silent", attempts: 1, lastHeard: null });
const say = (key: string): string => key;

test("the gate closing is told once, and its opening", () => {
  expect(noticeOf(connected, locked, say)?.title).toBe("tray.locked");
  expect(noticeOf(locked, locked, say)).toBeUndefined();
  expect(noticeOf(locked, connected, say)?.title).toBe("tray.protected");
});

test("a window that starts while the gate is closed tells it", () => {
  expect(noticeOf(null, locked, say)?.title).toBe("tray.locked");
});

test("what the person did is not told back", () => {
  expect(noticeOf(off, connected, say)).toBeUndefined();
  expect(noticeOf(connected, off, say)).toBeUndefined();
});
