// Rules by program, what a draft would do before it is saved, and saving for a while only, in the real window.
import { expect, test } from "vitest";

import { go, openWindow, until, type Opened } from "./window.ts";

const open = async (scenario: string): Promise<Opened> => {
  const it = await openWindow({ scenario });
  await go(it.page, "Lanes");
  await it.page.locator("[data-card=rest]").waitFor();
  return it;
};
const save = (it: Opened) => it.page.getByRole("button", { name: "Save and apply" });
/** Asked at last about the draft that is shown. */
const proven = (it: Opened): Promise<void> => it.page.getByText("11 of 11 properties").waitFor();

test("a program is named by its path, by keys alone, and the rule holds just that", async () => {
  const it = await open("first-policy");
  const { page } = it;
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("button", { name: "Choose programs" }).press("Enter");
  const search = page.getByRole("combobox", { name: "Name, path or unit" });
  await search.waitFor();
  await page.keyboard.type("/opt/measure/bin/measure");
  const option = page.getByRole("option", { name: "/opt/measure/bin/measure" });
  await option.waitFor();
  expect(await option.getAttribute("aria-selected")).toBe("false");
  await page.keyboard.press("Enter");
  await until(
    () => option.getAttribute("aria-selected"),
    (selected) => selected === "true",
  );
  await page.keyboard.press("Control+Enter");
  await page.getByRole("button", { name: "Take measure out" }).waitFor();
  await page.getByRole("radio", { name: "Direct" }).click();
  await page.getByRole("button", { name: "Done" }).click();
  await proven(it);
  await save(it).click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  expect(it.world.policy().rules[0]).toMatchObject({
    name: "measure",
    lane: "direct",
    match: { apps: [{ kind: "executable", path: "/opt/measure/bin/measure" }] },
  });
});

test("a program is chosen as a file, and taken out again by its chip", async () => {
  const { page, app } = await open("connected");
  await app.evaluate(({ dialog }) => {
    dialog.showOpenDialog = () => Promise.resolve({ canceled: false, filePaths: ["/usr/local/bin/backup"] });
  });
  await page.locator("[data-card=r4]").press("Enter");
  await page.getByRole("button", { name: "Choose programs" }).click();
  await page.getByRole("button", { name: "Choose a file" }).click();
  await page.getByRole("option", { name: "/usr/local/bin/backup", selected: true }).waitFor();
  await page.getByRole("button", { name: "Done: 1 chosen" }).click();
  await page.getByRole("button", { name: "Take backup out" }).click();
  await page.getByText("all programs").waitFor();
});

test("closing the picker changes nothing", async () => {
  const { page } = await open("connected");
  await page.locator("[data-card=r4]").press("Enter");
  await page.getByRole("button", { name: "Choose programs" }).click();
  await page.getByRole("combobox").fill("cups.service");
  await page.getByRole("option", { name: "cups.service" }).click();
  await page.keyboard.press("Escape");
  await page.getByText("all programs").waitFor();
  expect(await page.getByRole("dialog", { name: "Rule" }).count()).toBe(1);
});

test("a rule that this helper cannot do is named with what it asks for, and cannot be saved", async () => {
  const it = await open("no-apps");
  const { page } = it;
  await page.locator("[data-card=r4]").press("Enter");
  await page.getByRole("button", { name: "Choose programs" }).click();
  await page.getByRole("combobox").fill("/usr/bin/backup");
  await page.getByRole("option").first().click();
  await page.getByRole("button", { name: /^Done/ }).click();
  await page.getByRole("button", { name: "Done" }).click();
  await page
    .getByText("Backup asks for what this version cannot do yet: rules by program. Nothing was changed.")
    .waitFor();
  expect(await save(it).isDisabled()).toBe(true);
  expect(it.world.asked["setPolicy"]).toBeUndefined();
});

test("everything a rule can look at is read from the form and written to the policy", async () => {
  const it = await open("first-policy");
  const { page } = it;
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: /^To these names/ }).fill("Example.org\n*.example.net");
  await dialog.getByText("Protocol, ports, account, source").click();
  await dialog.getByRole("radio", { name: "TCP" }).click();
  await dialog.getByRole("textbox", { name: /^To these ports/ }).fill("443, 8000-8100");
  await dialog.getByRole("combobox").selectOption("0");
  await dialog.getByRole("textbox", { name: /^From these/ }).fill("192.0.2.7");
  await dialog.getByRole("button", { name: "Done" }).click();
  await proven(it);
  await save(it).click();
  await page.getByText("Saved.", { exact: true }).waitFor();
  expect(it.world.policy().rules[0]?.match).toEqual({
    names: ["example.org", "*.example.net"],
    protocol: "tcp",
    ports: [
      { from: 443, to: 443 },
      { from: 8000, to: 8100 },
    ],
    users: [0],
    source: ["192.0.2.7/32"],
  });
});

test("a rule that never decides is named before it is saved, and may be saved", async () => {
  const it = await open("connected");
  const { page } = it;
  await page.locator("[data-card=r4]").press("Enter");
  await page.getByRole("textbox", { name: /^To these networks/ }).fill("203.0.113.128/28");
  await page.getByRole("button", { name: "Done" }).click();
  await page
    .getByRole("list", { name: "Worth a look" })
    .getByText(/^Backup never decides/)
    .waitFor();
  expect(await save(it).isDisabled()).toBe(false);
});

test("the lines of the plan that come and go can be read before saving", async () => {
  const { page } = await open("connected");
  await page.locator("[data-card=r1]").press("Enter");
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByText(/^Lines of the plan: \d+ new, \d+ gone$/).click();
  await page.getByText("to 203.0.113.128/28 lookup block").waitFor();
});

test("what would end the connection somebody works over is offered for a minute only, and kept by one press", async () => {
  const it = await open("remote");
  const { page } = it;
  await page.getByRole("switch", { name: "Local network goes directly" }).click();
  await page.getByText("These rules would end the connection from 198.51.100.7").waitFor();
  await page.getByRole("button", { name: "Try for 1 min" }).click();
  await page.getByText(/^The rules of now go back by themselves in (1 min|\d+ s), unless you keep them\.$/).waitFor();
  // it follows the person to every screen
  await go(page, "Connect");
  await page.getByRole("button", { name: "Keep these rules" }).click();
  await page.getByText("The rules stay.").waitFor();
  expect(await page.getByRole("button", { name: "Keep these rules" }).count()).toBe(0);
  expect(it.world.policy().lan.allow).toBe(false);
});

test("rules that nobody kept go back, and the board shows what holds", async () => {
  const it = await open("remote");
  const { page } = it;
  const lan = page.getByRole("switch", { name: "Local network goes directly" });
  await lan.click();
  await page.getByRole("button", { name: "Try for 1 min" }).click();
  await page.getByRole("button", { name: "Keep these rules" }).waitFor();
  it.world.rollBack();
  await until(
    () => lan.getAttribute("aria-checked"),
    (checked) => checked === "true",
  );
  await page.getByText("nothing is different").waitFor();
});

test("presets are rules: the first exception is asked for, and “Everything” takes exceptions away", async () => {
  const { page } = await open("first-policy");
  await page.getByRole("radio", { name: "Only…" }).click();
  const dialog = page.getByRole("dialog", { name: "New rule" });
  await dialog.waitFor();
  expect(await dialog.getByRole("radio", { name: "Tunnel" }).getAttribute("aria-checked")).toBe("true");
  await page.keyboard.press("Escape");
  await page
    .getByText(/^Only what/)
    .first()
    .waitFor();
  await page.getByRole("button", { name: "Discard" }).click();
  expect(await page.getByRole("radio", { name: "Everything", exact: true }).getAttribute("aria-checked")).toBe("true");
});
