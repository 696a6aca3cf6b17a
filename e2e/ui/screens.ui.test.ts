// Leaks, Settings, the first run and the whole by keyboard, in the real window.
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";

import { expect, test } from "vitest";

import { goodConf } from "./scripted/scenarios.ts";
import { go, headline, openWindow, until, type Opened } from "./window.ts";

test("what could not be checked is named with its reason and not ticked", async () => {
  const { page } = await openWindow({ scenario: "unproven" });
  await go(page, "Leaks");
  await page.getByRole("button", { name: "Check now" }).click();
  const row = page.locator("tr", { hasText: "Bound to the uplink" });
  await row.waitFor();
  expect(await row.innerText()).toContain("not checked: the wire is not watched here, so nobody would see it");
  expect(await row.getByRole("img", { name: "not checked" }).count()).toBe(1);
});

test("frames that came too fast to be looked at are told beside the zero", async () => {
  const { page } = await openWindow({ scenario: "missed" });
  await page.getByText(/, 12 came too fast to look at$/).waitFor();
  await go(page, "Leaks");
  await page.getByText("12 frames came faster than they could be looked at: of these nothing is known.").waitFor();
});

test("the leak checks run when asked, with what they saw, and are saved as a report", async () => {
  const { page, app } = await openWindow({ scenario: "connected" });
  await go(page, "Leaks");
  await page.getByText("Nothing was checked yet in this state.").waitFor();
  await page.getByRole("button", { name: "Check now" }).click();
  await until(
    () => page.locator("tr[data-verdict]").count(),
    (count) => count === 6,
  );
  expect(await page.locator("tr", { hasText: "Raw frames" }).innerText()).toContain(
    "4 packets tried to leave by themselves; none was seen on a wire, 2 refused at once",
  );
  const file = join(tmpdir(), `culvert-report-${String(process.pid)}.txt`);
  await app.evaluate(({ dialog }, path) => {
    dialog.showSaveDialog = () => Promise.resolve({ canceled: false, filePath: path });
  }, file);
  await page.getByRole("button", { name: "Save report" }).click();
  await page.getByText("The report is saved.").waitFor();
  const report = readFileSync(file, "utf8");
  rmSync(file);
  expect(report).toContain("holds: Address, IPv4: the node saw 203.0.113.9");
});

test("while off nothing is counted and no zero is shown", async () => {
  const { page } = await openWindow({ scenario: "off" });
  await go(page, "Leaks");
  expect(await headline(page).innerText()).toBe("not counted while off");
});

test("language and theme change at once and stay after the window is opened anew", async () => {
  const { page } = await openWindow({ scenario: "off" });
  await go(page, "Settings");
  await page.getByRole("radio", { name: "Dark" }).click();
  await until(
    () => page.evaluate("document.documentElement.dataset.theme"),
    (theme) => theme === "dark",
  );
  await page.getByRole("radio", { name: "Русский" }).click();
  await until(
    () => headline(page).innerText(),
    (text) => text === "Настройки",
  );
  expect(await page.evaluate("document.documentElement.lang")).toBe("ru");
  await page.reload();
  await until(
    () => headline(page).innerText(),
    (text) => text === "Выключено",
  );
  await page.keyboard.press("Control+5");
  await page.getByRole("radio", { name: "中文" }).click();
  await until(
    () => headline(page).innerText(),
    (text) => text === "设置",
  );
});

test("the desktop's language is taken where none is chosen", async () => {
  const { page } = await openWindow({ scenario: "off", language: "ru" });
  await until(
    () => headline(page).innerText(),
    (text) => text === "Выключено",
  );
});

test("the kill switch is set in the helper, and undoing everything lists what was undone", async () => {
  const it = await openWindow({ scenario: "connected" });
  await go(it.page, "Settings");
  await it.page.getByRole("radio", { name: "From boot on" }).click();
  await until(
    () => it.world.policy().killSwitch,
    (value) => value === "boot",
  );
  await it.page.getByRole("button", { name: "Undo everything" }).click();
  const dialog = it.page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Undo everything" }).click();
  await dialog.getByText("3 changes were undone.").waitFor();
  expect(await dialog.innerText()).toContain("nft delete table inet culvert");
  expect(it.world.status().state.kind).toBe("off");
});

test("a newcomer brings a node and is connected", async () => {
  const { page } = await openWindow({ scenario: "empty" });
  await until(
    () => headline(page).innerText(),
    (text) => text === "Bring a node",
  );
  await page.getByRole("button", { name: /^Paste text/ }).click();
  await page.getByRole("textbox", { name: "Paste text" }).fill(goodConf);
  await page.getByRole("textbox", { name: "Name" }).fill("Lindal");
  await page.getByRole("button", { name: "Add and connect" }).click();
  await until(
    () => headline(page).innerText(),
    (text) => text === "Protected and proven",
  );
});

test("without a helper the window says what to do, and goes on by itself when it comes", async () => {
  const it = await openWindow({ scenario: null });
  await until(
    () => headline(it.page).innerText(),
    (text) => text === "The helper is not running",
  );
  expect(await it.page.locator("code").innerText()).toContain("systemctl start culvert");
  await it.page.getByRole("button", { name: "Settings" }).click();
  await until(
    () => headline(it.page).innerText(),
    (text) => text === "Settings",
  );
  await go(it.page, "Connect");
  await it.startHelper("off");
  await until(
    () => headline(it.page).innerText(),
    (text) => text === "Off",
  );
});

test("the window works where there is no tray", async () => {
  const { page } = await openWindow({ scenario: "off", env: { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent" } });
  await go(page, "Settings");
  await page.getByText("This desktop has no tray.", { exact: false }).waitFor();
  expect(await page.getByRole("switch", { name: "Stay in the tray" }).isDisabled()).toBe(true);
  await page.getByRole("switch", { name: "Open with the desktop" }).waitFor();
});

test("by keyboard alone: from start to connected, to every screen, and back to off", async () => {
  const { page, complaints } = await openWindow({ scenario: "off" });
  await until(
    () => headline(page).innerText(),
    (text) => text === "Off",
  );
  await tabTo(page, "Connect to Harbourton");
  await page.keyboard.press("Enter");
  await until(
    () => headline(page).innerText(),
    (text) => text === "Protected and proven",
  );
  const titles = ["Protected and proven", "Nodes", "Lanes", "packets beside the tunnel since connecting", "Settings"];
  for (const [index, title] of titles.entries()) {
    await page.keyboard.press(`Control+${String(index + 1)}`);
    await until(
      () => headline(page).innerText(),
      (text) => text === title,
    );
    await everyStopIsSeen(page);
  }
  await tabTo(page, "Disconnect");
  await page.keyboard.press("Space");
  await page.keyboard.press("Control+1");
  await until(
    () => headline(page).innerText(),
    (text) => text === "Off",
  );
  expect(complaints).toEqual([]);
});

test.each([
  ["connect", "Protected and proven"],
  ["nodes", "Nodes"],
  ["lanes", "Lanes"],
  ["leaks", "packets beside the tunnel since connecting"],
  ["settings", "Settings"],
] as const)("every control on %s has a name, and no id is twice", async (screen, title) => {
  const { page } = await openWindow({ scenario: "connected" });
  // the page hears keys from its first status on
  await until(
    () => headline(page).innerText(),
    (text) => text === "Protected and proven",
  );
  const digit = ["connect", "nodes", "lanes", "leaks", "settings"].indexOf(screen) + 1;
  await page.keyboard.press(`Control+${String(digit)}`);
  await until(
    () => headline(page).innerText(),
    (text) => text === title,
  );
  expect(await page.evaluate<string[]>(faults)).toEqual([]);
});

test("the first screen loads one script of bounded size; the map and the board come when they are asked for", async () => {
  const { page } = await openWindow({ scenario: "connected" });
  const loaded = (): Promise<string[]> =>
    page.evaluate(`[...document.querySelectorAll("script[src], link[href]")].map((e) => e.src ?? e.href)`);
  await until(
    () => headline(page).innerText(),
    (text) => text === "Protected and proven",
  );
  // each chunk brings its styles, and their links tell of it
  const atFirst = await loaded();
  expect(atFirst.filter((name) => /NodeMap|Lanes/.test(name))).toEqual([]);
  const [first] = atFirst.filter((name) => name.endsWith(".js"));
  // what a cold start must read and compile; how long that takes is the bench's to measure
  const file = join(import.meta.dirname, "../../dist/app", new URL(first ?? "").pathname);
  expect(statSync(file).size).toBeLessThan(520_000);
  await go(page, "Nodes");
  await until(loaded, (names) => names.some((name) => name.includes("NodeMap")));
  await go(page, "Lanes");
  await until(loaded, (names) => names.some((name) => name.includes("Lanes")));
});

/** Presses Tab until the control of that name has the focus. */
async function tabTo(page: Opened["page"], name: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate<string>(
      "document.activeElement?.ariaLabel ?? document.activeElement?.textContent ?? ''",
    );
    if (focused === name) return;
  }
  throw new Error(`Tab never came to ${name}`);
}

/** Each thing that Tab stops at is drawn with an outline of at least 2 px and is inside the window when it has the focus. */
async function everyStopIsSeen(page: Opened["page"]): Promise<void> {
  const seen = new Set<string>();
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate<{ id: string; ring: boolean; inside: boolean } | null>(focusFacts);
    if (stop === null) continue;
    if (seen.has(stop.id)) break;
    seen.add(stop.id);
    expect(stop).toMatchObject({ ring: true, inside: true });
  }
  expect(seen.size).toBeGreaterThan(5);
}

const focusFacts = `(() => {
  const e = document.activeElement;
  if (e === null || e === document.body) return null;
  const ringed = [e, e.closest(".field")].filter(Boolean).map((one) => getComputedStyle(one));
  const box = e.getBoundingClientRect();
  const all = [...document.querySelectorAll("*")];
  return {
    id: String(all.indexOf(e)) + " " + (e.ariaLabel ?? e.textContent).slice(0, 30),
    ring: ringed.some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
    inside: box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
  };
})()`;

/** By hand what a checker of accessibility would say first: names on controls, one main, ids once, labels on images. */
const faults = `(() => {
  const found = [];
  const named = (e) => (e.ariaLabel ?? "") !== "" || (e.getAttribute("aria-labelledby") ?? "") !== ""
    || (e.textContent ?? "").trim() !== "" || (e.labels?.length ?? 0) > 0;
  for (const e of document.querySelectorAll("button, input, textarea, select, a, [role=switch], [role=img], svg[role=img], summary, nav, dialog"))
    if (!named(e)) found.push("no name: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("svg")) if (!e.ariaHidden && e.getAttribute("role") !== "img") found.push("svg: " + e.outerHTML.slice(0, 80));
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push("id twice: " + id);
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  return found;
})()`;
