import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

import { type FakeHelper, nodeOf, openFakeHelper, statusOf } from "./fake-helper.ts";
import { openPanel, type Panel } from "./fake-panel.ts";
import { launch, type Launched, makeHome } from "./launch.ts";

const harbourton = nodeOf("A", "Harbourton", { lastUsed: 2000 });
const milldale = nodeOf("B", "Milldale", { lastUsed: 1000 });
const at = { id: harbourton.id, name: harbourton.name, endpoint: "192.0.2.1:51820" };
/** A busy machine takes longer than the second that would be waited otherwise. */
const soon = { timeout: 10_000 };
const home = makeHome();
let helper: FakeHelper;
let panel: Panel | undefined;
let culvert: Launched;

beforeAll(async () => {
  helper = await openFakeHelper(home.socket, [harbourton, milldale]);
  panel = await openPanel();
  culvert = await launch(home);
  await vi.waitFor(async () => expect(await panel?.icons()).toBe(1), { timeout: 20_000 });
});

afterEach(async () => {
  await panel?.close();
  panel = undefined;
});

afterAll(async () => {
  await culvert.close();
  await helper.close();
  home.remove();
});

test("the panel's menu connects and disconnects, and the icon follows", async () => {
  await eventually((labels) => expect(labels).toContain("Connect to Harbourton"));
  const off = await panel?.picture();

  await panel?.click("Connect to Harbourton");
  expect(await helper.heard("connect")).toEqual({ node: harbourton.id });
  await eventually((labels) => expect(labels).toContain("Disconnect"));
  expect((await panel?.menu())?.find((e) => e.label === "Harbourton")).toMatchObject({ ticked: true });
  await vi.waitFor(async () => expect(await panel?.picture()).not.toBe(off), soon);
  const on = await panel?.picture();

  helper.say({
    event: "status",
    data: statusOf({ kind: "locked", node: at, cause: "engine-died", attempts: 1, lastHeard: null }),
  });
  await vi.waitFor(async () => expect([on, off]).not.toContain(await panel?.picture()), soon);

  helper.say({ event: "status", data: statusOf({ kind: "connected", node: at }) });
  await eventually((labels) => expect(labels).toContain("Disconnect"));
  await panel?.click("Disconnect");
  expect(await helper.heard("disconnect")).toEqual({});
  await eventually((labels) => expect(labels).toContain("Connect to Harbourton"));
  await vi.waitFor(async () => expect(await panel?.picture()).toBe(off), soon);

  await panel?.click("Milldale");
  expect(await helper.heard("connect", 2)).toEqual({ node: milldale.id });
});

test("a panel that comes back finds the icon again", async () => {
  panel = await openPanel();
  await vi.waitFor(async () => expect(await panel?.icons()).toBe(1), { timeout: 20_000 });
  await eventually((labels) => expect(labels).toContain("Disconnect"));
});

test("the tray asks before it ends a connection from afar: nothing, keeping it, or going on", async () => {
  panel = await openPanel();
  await vi.waitFor(async () => expect(await panel?.icons()).toBe(1), { timeout: 20_000 });
  await panel.click("Disconnect");
  await eventually((labels) => expect(labels).toContain("Connect to Harbourton"));
  const cuts = { code: "policy.cuts-session", data: { from: "192.0.2.77", protocol: "tcp", port: 22 } };
  helper.answer("connect", { ok: false, refusal: cuts });
  const calls = (call: string) => helper.asked.filter((a) => a.call === call).map((a) => a.params);
  const before = calls("connect").length;
  const choose = (response: number) =>
    culvert.app.evaluate(({ dialog }, chosen) => {
      const asked = globalThis as { wayIn?: string[] };
      dialog.showMessageBox = ((...args: { message: string; detail: string; buttons: string[] }[]) => {
        const { message, detail, buttons } = args.at(-1) ?? { message: "", detail: "", buttons: [] };
        asked.wayIn = [message, detail, ...buttons];
        return Promise.resolve({ response: chosen, checkboxChecked: false });
      }) as typeof dialog.showMessageBox;
    }, response);

  await choose(2);
  await panel.click("Connect to Harbourton");
  await vi.waitFor(async () => {
    const said = await culvert.app.evaluate(() => (globalThis as { wayIn?: string[] }).wayIn);
    expect(said?.[0]).toBe("Keep your way in?");
    expect(said?.[1]).toContain("192.0.2.77");
    expect(said).toHaveLength(5);
  }, soon);
  expect(calls("connect")).toHaveLength(before + 1);
  expect(calls("setPolicy")).toEqual([]);

  await choose(1);
  await panel.click("Connect to Harbourton");
  expect(await helper.heard("connect", before + 3)).toEqual({ node: harbourton.id, anyway: true });

  helper.answer("setPolicy", { ok: false, refusal: { code: "call.busy", data: {} } });
  await choose(0);
  await panel.click("Connect to Harbourton");
  const welcome = [{ protocol: "tcp", port: 22, from: ["192.0.2.77/32"] }];
  expect(await helper.heard("setPolicy")).toMatchObject({ policy: { welcome } });
  expect(calls("connect")).toHaveLength(before + 4);
});

test("closing the window keeps it in the tray, and the menu brings it back", async () => {
  panel = await openPanel();
  await vi.waitFor(async () => expect(await panel?.icons()).toBe(1), { timeout: 20_000 });
  await culvert.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close());
  await vi.waitFor(async () => expect(await visible()).toBe(false), soon);
  await panel.click("Open Culvert");
  await vi.waitFor(async () => expect(await visible()).toBe(true), soon);
});

test("without a panel, closing the window ends the program", async () => {
  await vi.waitFor(async () => expect(await trayAvailable()).toBe(false), soon);
  const ended = new Promise((done) => culvert.app.process().once("exit", done));
  await culvert.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.close()).catch(() => undefined);
  expect(await ended).toBe(0);
});

const visible = (): Promise<boolean | undefined> =>
  culvert.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.isVisible());

const trayAvailable = (): Promise<boolean> =>
  culvert.page.evaluate("culvert.environment().then((e) => e.trayAvailable)");

async function eventually(holds: (labels: readonly string[]) => void): Promise<void> {
  await vi.waitFor(async () => holds(((await panel?.menu()) ?? []).map((e) => e.label)), { timeout: 10_000 });
}
