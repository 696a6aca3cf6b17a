// Nodes in the real window: adding good and bad files, finding, keeping, renaming, removing, connecting.
import { expect, test } from "vitest";

import { badConf, goodConf } from "./scripted/scenarios.ts";
import { go, headline, openWindow, until, type Opened } from "./window.ts";

const open = async (scenario: string): Promise<Opened> => {
  const it = await openWindow({ scenario });
  await go(it.page, "Nodes");
  return it;
};
const rows = (page: Opened["page"]): Promise<string[]> => page.locator("[data-pick]").allInnerTexts();

test("a pasted configuration becomes a node, and its key is not on the screen", async () => {
  const { page, world } = await open("off");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Add a node" });
  await dialog.getByRole("button", { name: /^Paste text/ }).click();
  await dialog.getByRole("textbox", { name: "Paste text" }).fill(goodConf);
  await dialog.getByRole("textbox", { name: "Name" }).fill("Home");
  await dialog.getByRole("button", { name: "Add only" }).click();
  await page.getByText("Home is added. Nothing else is changed.").waitFor();
  expect(await rows(page)).toContain("Home");
  expect(world.status().state.kind).toBe("off");
  expect(await page.locator("body").innerText()).not.toContain("yAnz5TF");
});

test("a chosen file is shown with its keys covered; added and connected in one", async () => {
  const { page, app, world } = await open("off");
  await app.evaluate(({ dialog }) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: true, filePaths: [] });
  });
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Add a node" });
  await dialog.getByRole("button", { name: "Choose a file" }).click();
  // cancelled: nothing is given
  await dialog.getByRole("button", { name: /^Paste text/ }).waitFor();
  await drop(page, "lindal.conf", goodConf);
  expect(await dialog.getByRole("list").innerText()).toContain("PrivateKey = ••••••••");
  expect(await dialog.getByRole("textbox", { name: "Name" }).inputValue()).toBe("lindal");
  await dialog.getByRole("button", { name: "Add and connect" }).click();
  await until(
    () => headline(page).innerText(),
    (text) => text === "Protected and proven",
  );
  expect(world.status().state).toMatchObject({ node: { name: "lindal" } });
});

test("a bad file is refused with its line, and nothing is added", async () => {
  const { page, world } = await open("off");
  const before = await rows(page);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await drop(page, "bad.conf", badConf);
  await page.getByRole("button", { name: "Add only" }).click();
  await page.getByText("Line 3 is not understood: “Adress”. Nothing was added.").waitFor();
  await page.keyboard.press("Escape");
  expect(await rows(page)).toEqual(before);
  expect(world.asked["import"]).toBe(1);
});

test("a file that asks to run a command is refused, in words that say so", async () => {
  const { page } = await open("off");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await drop(page, "evil.conf", `${goodConf}PostUp = touch /tmp/owned\n`);
  await page.getByRole("button", { name: "Add only" }).click();
  await page.getByText(/Line 10 asks to run a command: PostUp/).waitFor();
});

test("a file of megabytes is not even read", async () => {
  const { page, world } = await open("off");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await drop(page, "big.conf", "#".repeat(3_000_000));
  await page.getByText(/too long for a configuration/).waitFor();
  expect(world.asked["import"]).toBeUndefined();
});

test("slash searches from any screen, Esc clears", async () => {
  const { page } = await open("many");
  expect(await rows(page)).toHaveLength(240);
  await go(page, "Leaks");
  await page.keyboard.press("/");
  await page.getByRole("searchbox").waitFor();
  await until(
    () => page.evaluate("document.activeElement?.type"),
    (type) => type === "search",
  );
  await page.keyboard.type("lindal xb");
  await until(
    () => rows(page),
    (found) => found.length === 24,
  );
  await page.keyboard.type(" zzz");
  await page.getByText("No node has all these words.").waitFor();
  await page.keyboard.press("Escape");
  await until(
    () => rows(page),
    (found) => found.length === 240,
  );
});

test("a favourite is kept by the helper and stands first", async () => {
  const { page, world } = await open("off");
  const star = page.getByRole("button", { name: "Favourite: Veskra" });
  expect(await star.getAttribute("aria-pressed")).toBe("false");
  await star.click();
  await until(
    () => star.getAttribute("aria-pressed"),
    (pressed) => pressed === "true",
  );
  await until(
    () => rows(page),
    (found) => found.indexOf("Veskra") === 3,
  );
  expect(world.asked["favourite"]).toBe(1);
});

test("renaming and removing change the list; a node in use is not removed", async () => {
  const { page } = await open("connected");
  const card = page.getByRole("region", { name: "Harbourton" });
  await card.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await page.getByText("Harbourton is in use. Disconnect first.").waitFor();
  await page.getByRole("button", { name: "Lindal", exact: true }).click();
  await page.getByRole("region", { name: "Lindal" }).getByRole("button", { name: "Rename" }).click();
  await page.getByRole("textbox", { name: "New name" }).fill("Office");
  await page.keyboard.press("Enter");
  await until(
    () => rows(page),
    (found) => found.includes("Office") && !found.includes("Lindal"),
  );
  await page.getByRole("region", { name: "Office" }).getByRole("button", { name: "Remove" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await until(
    () => rows(page),
    (found) => !found.includes("Office"),
  );
});

test("connecting from the list shows the steps on Connect", async () => {
  const { page } = await open("slow");
  await page.getByRole("button", { name: "Veskra", exact: true }).click();
  await page.getByRole("region", { name: "Veskra" }).getByRole("button", { name: "Connect" }).click();
  await until(
    () => headline(page).innerText(),
    (text) => text === "Connecting to Veskra",
  );
});

/** Drops a file as the desktop would. */
async function drop(page: Opened["page"], name: string, text: string): Promise<void> {
  const transfer = await page.evaluateHandle(
    ([file, content]) => {
      const data = new DataTransfer();
      data.items.add(new File([content ?? ""], file ?? ""));
      return data;
    },
    [name, text],
  );
  await page.locator("[data-drop]").dispatchEvent("drop", { dataTransfer: transfer });
}
