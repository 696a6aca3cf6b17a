// Lanes in the real window: by hand, by keys, by form; nothing is applied before it is saved.
import { expect, test } from "vitest";

import { go, openWindow, until, type Opened } from "./window.ts";

const open = async (scenario: string): Promise<Opened> => {
  const it = await openWindow({ scenario });
  await go(it.page, "Lanes");
  await it.page.locator("[data-card=rest]").waitFor();
  return it;
};
const rules = (it: Opened): string[] => it.world.policy().rules.map((rule) => `${rule.name}: ${rule.lane}`);
const sentences = (page: Opened["page"]): Promise<string[]> =>
  page.getByRole("region", { name: "If you save" }).getByRole("listitem").allInnerTexts();

test("a new rule is shown, told, saved, and known to the helper", async () => {
  const it = await open("first-policy");
  await it.page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = it.page.getByRole("dialog", { name: "New rule" });
  await until(
    () => it.page.evaluate("document.activeElement?.tagName"),
    (tag) => tag === "INPUT",
  );
  await it.page.keyboard.type("Office");
  await dialog.getByRole("radio", { name: "Direct" }).click();
  const networks = dialog.getByRole("textbox", { name: /^To these networks/ });
  await networks.fill("192.0.2.77/24\n10.0.0");
  await dialog.getByRole("button", { name: "Done" }).click();
  await dialog.getByText("Line 2 is no network and no address: “10.0.0”.").waitFor();
  await networks.fill("192.0.2.77/24");
  await dialog.getByRole("button", { name: "Done" }).click();
  expect(await sentences(it.page)).toEqual(["Office goes out directly; those it is sent to see your own address."]);
  expect(rules(it)).toEqual([]);
  await it.page.getByText("11 of 11 properties").waitFor();
  await it.page.getByRole("button", { name: "Save and apply" }).click();
  await it.page.getByText("Saved.", { exact: true }).waitFor();
  expect(it.world.policy().rules[0]).toMatchObject({
    name: "Office",
    lane: "direct",
    match: { destination: ["192.0.2.0/24"] },
  });
});

test("by keys alone a rule is lifted, moved to another lane and before another, and set down", async () => {
  const it = await open("connected");
  await it.page.locator("[data-card=r4]").focus();
  await it.page.keyboard.press("Space");
  await it.page.getByText("Backup: Direct, place 4 of 4.").waitFor({ state: "attached" });
  await it.page.keyboard.press("ArrowUp");
  await it.page.keyboard.press("ArrowLeft");
  await it.page.getByText("Backup: Tunnel, place 3 of 4.").waitFor({ state: "attached" });
  expect(await it.page.evaluate("document.activeElement?.dataset.card")).toBe("r4");
  await it.page.keyboard.press("Space");
  expect(await sentences(it.page)).toEqual([
    "Backup goes through the tunnel. Until now: directly.",
    "Backup is asked before Work.",
  ]);
  await it.page.getByRole("button", { name: "Save and apply" }).click();
  await it.page.getByText("Saved.", { exact: true }).waitFor();
  expect(rules(it)).toEqual(["Telemetry: block", "Old printer net: block", "Backup: tunnel", "Work: tunnel"]);
});

test("Esc puts a lifted rule back where it was", async () => {
  const { page } = await open("connected");
  await page.locator("[data-card=r4]").focus();
  for (const key of ["Space", "ArrowUp", "ArrowLeft", "Escape"]) await page.keyboard.press(key);
  expect(await sentences(page)).toEqual([]);
  await page.getByText("nothing is different").waitFor();
});

test("a rule dragged to another lane goes there, and Discard takes it back", async () => {
  const it = await open("connected");
  const from = await it.page.locator("[data-card=r4]").boundingBox();
  const lane = await it.page.locator("[data-card=r3]").boundingBox();
  if (from === null || lane === null) throw new Error("a card is not drawn");
  await it.page.mouse.move(from.x + 30, from.y + 20);
  await it.page.mouse.down();
  await it.page.mouse.move(from.x + 40, from.y, { steps: 4 });
  await it.page.mouse.move(from.x + 30, lane.y + 20, { steps: 8 });
  await it.page.getByText("Direct → Tunnel").waitFor();
  await it.page.mouse.up();
  expect(await sentences(it.page)).toContain("Backup goes through the tunnel. Until now: directly.");
  // a drag is no click: the editor stays shut
  expect(await it.page.getByRole("dialog").count()).toBe(0);
  await it.page.getByRole("button", { name: "Discard" }).click();
  expect(await sentences(it.page)).toEqual([]);
  expect(it.world.asked["setPolicy"]).toBeUndefined();
});

test("a draft that the helper refuses cannot be saved, and says what breaks it", async () => {
  const it = await open("first-policy");
  await it.page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = it.page.getByRole("dialog");
  await dialog.getByRole("radio", { name: "Direct" }).click();
  await dialog.getByRole("textbox", { name: /^To these networks/ }).fill("0.0.0.0/0");
  await dialog.getByRole("button", { name: "Done" }).click();
  await it.page.getByText(/^Not applied: with these rules/).waitFor();
  expect(await it.page.getByRole("button", { name: "Save and apply" }).isDisabled()).toBe(true);
});

test("the local network and IPv6 are switched and saved", async () => {
  const it = await open("first-policy");
  await it.page.getByRole("switch", { name: "Local network goes directly" }).click();
  await it.page.getByRole("radio", { name: "Blocked" }).click();
  expect(await sentences(it.page)).toHaveLength(2);
  await it.page.getByRole("button", { name: "Save and apply" }).click();
  await it.page.getByText("Saved.", { exact: true }).waitFor();
  expect(it.world.policy()).toMatchObject({ lan: { allow: false }, ipv6: "block" });
});

test("a rule is opened by Enter, changed and removed", async () => {
  const it = await open("connected");
  await it.page.locator("[data-card=r1]").press("Enter");
  await it.page.getByRole("dialog", { name: "Rule" }).getByRole("button", { name: "Remove" }).click();
  expect(await sentences(it.page)).toEqual(["Telemetry has no rule of its own any more; what follows decides."]);
});
