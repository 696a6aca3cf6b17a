// Connecting from the tray, where no window may be there to ask: what would end a connection from afar is asked by a dialog of
// the desktop's, with the same two ways out as in the window.
import { type BrowserWindow, dialog } from "electron";

import type { Refusal } from "../helper/contract/refusal.ts";
import { welcoming } from "../helper/contract/way-in.ts";
import type { HelperClient } from "./helper-client.ts";
import type { Say } from "./tray-menu.ts";

/** How it went comes back as a status. */
export async function connectAsking(
  helper: Pick<HelperClient, "request">,
  node: string,
  ask: (data: Refusal["data"]) => Promise<"keep" | "anyway" | "cancel">,
): Promise<void> {
  const answer = await helper.request("connect", { node });
  if (answer.ok || answer.refusal.code !== "policy.cuts-session") return;
  const { data } = answer.refusal;
  const chosen = await ask(data);
  if (chosen === "cancel") return;
  if (chosen === "anyway") {
    await helper.request("connect", { node, anyway: true });
    return;
  }
  const policy = await helper.request("policy", {});
  if (!policy.ok) return;
  const saved = await helper.request("setPolicy", { policy: welcoming(policy.value, data) });
  // a second connection from afar is asked about in its turn
  if (saved.ok) await connectAsking(helper, node, ask);
}

export async function askWayIn(
  window: BrowserWindow | undefined,
  { from, port }: Refusal["data"],
  say: Say,
): Promise<"keep" | "anyway" | "cancel"> {
  const ways = ["keep", "anyway", "cancel"] as const;
  const options = {
    ...{ type: "warning" as const, title: "Culvert", message: say("way-in.title") },
    detail: say("way-in.text", { from: String(from), port: String(port) }),
    buttons: [say("way-in.keep"), say("way-in.anyway"), say("act.cancel")],
    ...{ defaultId: 0, cancelId: 2, noLink: true },
  };
  // a dialog of a hidden window is hidden with it
  const shown = window?.isVisible() !== true ? dialog.showMessageBox(options) : dialog.showMessageBox(window, options);
  return ways[(await shown).response] ?? "cancel";
}
