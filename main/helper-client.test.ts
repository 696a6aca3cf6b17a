import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { HelperEvent } from "../helper/contract/message.ts";
import type { HelperLink } from "../preload/bridge.ts";
import { type FakeHelper, nodeOf, openFakeHelper, statusOf } from "./fake-helper.ts";
import { type HelperClient, openHelper } from "./helper-client.ts";

const harbourton = nodeOf("A", "Harbourton");
let folder: string;
let path: string;
let helper: FakeHelper | undefined;
let client: HelperClient | undefined;
let links: HelperLink[];
let events: HelperEvent[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "culvert-main-"));
  path = join(folder, "helper.sock");
  links = [];
  events = [];
});

afterEach(async () => {
  client?.close();
  await helper?.close();
  helper = undefined;
  rmSync(folder, { recursive: true });
});

test("says hello, then tells link, status and nodes", async () => {
  await linked();
  await vi.waitFor(() => expect(events.map((e) => e.event)).toEqual(["status", "nodes"]));
  expect(links).toEqual([{ kind: "linked", version: "0.0.1" }]);
  expect(helper?.asked[0]).toEqual({ call: "hello", params: { version: 1, client: "test" } });
});

test("a request is answered with what the helper says", async () => {
  await linked();
  const answer = await client?.request("connect", { node: harbourton.id });
  expect(answer).toMatchObject({ ok: true, value: { state: { kind: "connected" } } });
});

test("a refusal of the helper arrives as it was said", async () => {
  await linked();
  const refusal = { code: "node.unreachable", data: { node: "Harbourton" } };
  helper?.answer("connect", { ok: false, refusal });
  expect(await client?.request("connect", { node: harbourton.id })).toEqual({ ok: false, refusal });
});

test("parameters that are not in the contract are refused here and never sent", async () => {
  await linked();
  const answer = await client?.request("connect", { node: "short" });
  expect(answer).toMatchObject({ ok: false, refusal: { code: "call.malformed" } });
  expect(helper?.asked.some((a) => a.call === "connect")).toBe(false);
});

test("an event reaches the listener", async () => {
  await linked();
  await vi.waitFor(() => expect(events).toHaveLength(2));
  helper?.say({ event: "nodes", data: [] });
  await vi.waitFor(() => expect(events[2]).toEqual({ event: "nodes", data: [] }));
});

test("without a helper every request is refused as not running", async () => {
  open();
  expect(await client?.request("status", {})).toMatchObject({ refusal: { code: "helper.not-running" } });
});

test("a helper that goes is told as absent, its open requests are refused, and it is found again", async () => {
  await linked();
  helper?.answer("connect", "silence");
  const waiting = client?.request("connect", { node: harbourton.id });
  await helper?.heard("connect");
  await helper?.close();
  expect(await waiting).toMatchObject({ refusal: { code: "helper.not-running" } });
  await vi.waitFor(() => expect(links.at(-1)).toEqual({ kind: "absent" }));
  helper = await openFakeHelper(path, [harbourton]);
  await vi.waitFor(() => expect(links.at(-1)?.kind).toBe("linked"), { timeout: 10_000 });
});

test("a caller that is turned away is told so", async () => {
  helper = await openFakeHelper(path, []);
  helper.answer("hello", { ok: false, refusal: { code: "call.not-allowed", data: {} } });
  open();
  await vi.waitFor(() => expect(links).toEqual([{ kind: "not-allowed" }]));
  expect(await client?.request("status", {})).toMatchObject({ refusal: { code: "call.not-allowed" } });
});

test("a caller that is turned away before its hello is answered is told so", async () => {
  helper = await openFakeHelper(path, []);
  helper.answer("hello", { ok: false, id: null, refusal: { code: "call.not-allowed", data: {} } });
  open();
  await vi.waitFor(() => expect(links).toEqual([{ kind: "not-allowed" }]));
});

test("a helper of another protocol version is not spoken to", async () => {
  helper = await openFakeHelper(path, []);
  helper.answer("hello", { ok: true, result: { version: 2, helper: "9.0.0" } });
  open();
  await vi.waitFor(() => expect(links).toEqual([{ kind: "wrong-version", version: "9.0.0" }]));
  expect(helper.asked.every((a) => a.call === "hello")).toBe(true);
});

test.each([
  ["a line that is no JSON", "nonsense"],
  ["an event outside the contract", '{"event":"status","data":{"seq":"one"}}'],
  ["a line without an end", "x".repeat(8 * 1024 * 1024 + 1)],
])("%s cuts the link, and it is made anew", async (_what, line) => {
  const said = vi.spyOn(console, "error").mockReturnValue(undefined);
  await linked();
  helper?.sayLine(line);
  await helper?.heard("hello", 2);
  await vi.waitFor(() => expect(links.map((l) => l.kind)).toEqual(["linked", "absent", "linked"]));
  said.mockRestore();
});

test("two statuses in one chunk and one in two are both heard", async () => {
  await linked();
  await vi.waitFor(() => expect(events).toHaveLength(2));
  const line = (seq: number): string => JSON.stringify({ event: "status", data: statusOf({ kind: "off" }, seq) });
  helper?.sayLine(`${line(10)}\n${line(20)}`);
  await vi.waitFor(() => expect(events.slice(2)).toHaveLength(2));
});

async function linked(): Promise<void> {
  helper = await openFakeHelper(path, [harbourton]);
  open();
  await vi.waitFor(() => expect(links.at(-1)?.kind).toBe("linked"));
}

function open(): void {
  client = openHelper(path, "test", { link: (link) => links.push(link), event: (event) => events.push(event) });
}
