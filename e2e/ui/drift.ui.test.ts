// What other programs do to the machine: told with who and what, put back or left, in the real window.
import { expect, test } from "vitest";

import { headline, openWindow, until, type Opened } from "./window.ts";

const open = async (): Promise<Opened> => {
  const it = await openWindow({ scenario: "connected" });
  await shows(it, "Protected and proven");
  return it;
};
const shows = (it: Opened, words: string): Promise<string> =>
  until(
    () => headline(it.page).innerText(),
    (text) => text === words,
  );

test("a proof has its age beside the claim", async () => {
  const { page } = await open();
  await page.getByText(/^proven \d+ s ago$/).waitFor();
});

test("what breaks the proof is told with its author, and put back when the person says so", async () => {
  const it = await open();
  it.world.offer("rule 100 lookup 51820", "wg-quick");
  await shows(it, "Protected");
  await it.page.getByText(/wg-quick changed the machine: rule 100 lookup 51820/).waitFor();
  await it.page.getByRole("button", { name: "Put it back" }).click();
  await shows(it, "Protected and proven");
  await it.page.getByText("1 change was put back.").waitFor();
  await it.page.getByText(/wg-quick changed the machine: .* Culvert put it back/).waitFor();
});

test("what the person leaves so stays, and claims no proof", async () => {
  const it = await open();
  it.world.offer("rule 100 lookup 51820", "wg-quick");
  await it.page.getByRole("button", { name: "Leave it so" }).click();
  await until(
    () => it.page.getByText(/wg-quick changed the machine/).count(),
    (count) => count === 0,
  );
  expect(it.world.asked["repair"]).toBeUndefined();
  await shows(it, "Protected");
});

test("what was mended is told until it is put away", async () => {
  const it = await open();
  it.world.drift("rule 4900 deleted", "othervpn", true);
  await it.page.getByText(/othervpn changed the machine: rule 4900 deleted\. Culvert put it back/).waitFor();
  await it.page.getByRole("button", { name: "Put this note away" }).press("Enter");
  await until(
    () => it.page.getByText(/othervpn/).count(),
    (count) => count === 0,
  );
});

test("who fights with the plan is named with what it does", async () => {
  const it = await open();
  it.world.drift("rule 4900 deleted", "othervpn", true);
  it.world.lock("fight", "othervpn");
  await it.page.getByText("othervpn keeps changing what Culvert laid: rule 4900 deleted.").waitFor();
});
