// Connect in the real window: every state is said as it is, and the buttons do what they say.
import { expect, test } from "vitest";

import { announced, go, headline, openWindow, until, type Opened } from "./window.ts";

const open = (scenario: string | null, language = "en"): Promise<Opened> => openWindow({ scenario, language });
const says = (page: Opened["page"], text: string): Promise<string> =>
  until(
    () => headline(page).innerText(),
    (value) => value === text,
  );

test("connecting shows the steps and ends in what was proven; disconnecting ends it", async () => {
  const { page, world, complaints } = await open("slow");
  await says(page, "Off");
  await page.getByRole("button", { name: "Connect to Harbourton" }).click();
  await says(page, "Connecting to Harbourton");
  expect(await page.getByRole("listitem").allInnerTexts()).toHaveLength(5);
  await until(
    () => page.locator("[aria-current=step]").innerText(),
    (text) => text.includes("Routes laid"),
  );
  await says(page, "Protected and proven");
  expect(await page.locator("[data-reading=proof]").innerText()).toContain("11 of 11 hold");
  await page.getByRole("button", { name: "Disconnect" }).click();
  await says(page, "Off");
  expect([world.asked["connect"], world.asked["disconnect"]]).toEqual([1, 1]);
  expect(complaints).toEqual([]);
});

test("connecting can be cancelled", async () => {
  const { page, world } = await open("connecting");
  await page.getByRole("button", { name: "Connect to Harbourton" }).click();
  await says(page, "Connecting to Harbourton");
  await page.getByRole("button", { name: "Cancel" }).click();
  await says(page, "Off");
  expect(world.asked["disconnect"]).toBe(1);
});

test("without a proof it says protected and nothing more", async () => {
  const { page } = await open("unproven");
  await says(page, "Protected");
  expect(await page.locator("main").innerText()).toContain("No proof was made.");
  // known with the first sample
  await page.locator("[data-reading=beside]").getByText("not watched").waitFor();
});

test("a foreign change makes the proof stale at once, with its author", async () => {
  const { page, world } = await open("connected");
  await says(page, "Protected and proven");
  world.drift("route 10.8.0.0/24 dev enp3s0", "NetworkManager", false);
  await until(
    () => headline(page).innerText(),
    (text) => text.startsWith("Protected, proof"),
  );
  expect(await page.locator("main").innerText()).toContain("NetworkManager changed the machine: route 10.8.0.0/24");
});

test("a silent node locks, is announced once, and offers another", async () => {
  const { page, world } = await open("connected");
  await says(page, "Protected and proven");
  world.lock("node-silent");
  await says(page, "Blocked: Harbourton does not answer");
  expect(await announced(page)).toBe("Blocked: Harbourton does not answer");
  await page.getByRole("button", { name: "Switch to Lindal, 21 ms" }).click();
  await says(page, "Protected and proven");
  expect(world.status().state).toMatchObject({ kind: "connected", node: { name: "Lindal" } });
});

test("a failed attempt says why and leaves the machine as it was", async () => {
  const { page } = await open("failing");
  await page.getByRole("button", { name: "Connect to Harbourton" }).click();
  await says(page, "Not connected");
  const text = await page.locator("main").innerText();
  expect(text).toContain("Harbourton does not answer.");
  expect(text).toContain("Nothing is changed on this machine");
});

test("a helper that goes away takes every claim with it, and brings the state back", async () => {
  const it = await open("connected");
  await says(it.page, "Protected and proven");
  await it.stopHelper();
  await says(it.page, "The helper is silent");
  expect(await it.page.locator("body").innerText()).not.toMatch(/Protected|Harbourton/);
  await it.startHelper("connected");
  await says(it.page, "Protected and proven");
});

test("three packets beside the tunnel are seen on Connect and on every other screen", async () => {
  const { page } = await open("leaking");
  await says(page, "3 packets left beside the tunnel");
  expect(await page.locator("body").innerText()).not.toContain("Protected");
  const beside = page.locator("[data-reading=beside]");
  await until(
    () => beside.innerText(),
    (text) => /tunnel\s+3\s+of/.test(text),
  );
  await go(page, "Nodes");
  await page.locator("header").getByText("3 packets left beside the tunnel").waitFor();
});
