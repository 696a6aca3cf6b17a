// Connecting would end a connection over which somebody works on this machine: the window asks first, in each language, and
// closing, keeping and going on do what they say.
import { expect, test } from "vitest";

import { headline, openWindow, until, type Opened } from "./window.ts";

const welcome = [{ protocol: "tcp", port: 22, from: ["192.0.2.77/32"] }];
const asks = async (it: Opened) => {
  await it.page.getByRole("button", { name: "Connect to Harbourton" }).click();
  const dialog = it.page.getByRole("dialog");
  await dialog.waitFor();
  return dialog;
};
const protectedNow = (it: Opened): Promise<string> =>
  until(
    () => headline(it.page).innerText(),
    (text) => text.startsWith("Protected"),
  );

test("connecting from a window asks before it ends a connection from afar, and closing changes nothing", async () => {
  const it = await openWindow({ scenario: "from-afar" });
  const dialog = await asks(it);
  expect(await dialog.innerText()).toContain("From 192.0.2.77 somebody works on this machine (port 22)");
  await it.page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  expect(await headline(it.page).innerText()).toBe("Off");
  expect(it.world.policy().welcome).toEqual([]);
  expect(it.complaints).toEqual([]);
});

test("keeping the way in welcomes that caller alone and connects", async () => {
  const it = await openWindow({ scenario: "from-afar" });
  await asks(it);
  // the first way out has the focus
  await it.page.keyboard.press("Enter");
  await protectedNow(it);
  expect(it.world.policy().welcome).toEqual(welcome);
  expect(await it.page.getByRole("dialog").count()).toBe(0);
});

test("going on connects and welcomes nobody", async () => {
  const it = await openWindow({ scenario: "from-afar" });
  await asks(it);
  await it.page.getByRole("button", { name: "Connect anyway" }).click();
  await protectedNow(it);
  expect(it.world.policy().welcome).toEqual([]);
});

test.each([
  ["ru", "Сохранить вход?", "Всё равно подключить"],
  ["zh", "保留这条接入吗？", "仍然连接"],
])("the question is asked in %s", async (language, title, anyway) => {
  const it = await openWindow({ scenario: "from-afar", language });
  await it.page.locator("button.first").first().click();
  const dialog = it.page.getByRole("dialog", { name: title });
  await dialog.waitFor();
  expect(await dialog.innerText()).toContain("192.0.2.77");
  expect(await dialog.getByRole("button", { name: anyway }).count()).toBe(1);
});
