// Answers the bridge. Every channel is registered here and nowhere else, from the names in preload/bridge.ts; a message is
// answered only when it comes from our own page in our own window, and only after its arguments have been parsed.
import { type BrowserWindow, ipcMain, type IpcMainInvokeEvent } from "electron";
import { z } from "zod";

import { type RequestName, requests } from "../helper/contract/message.ts";
import { callChannel, type CallName, callNames, type Calls, eventChannel, type Events } from "../preload/bridge.ts";
import { isPage } from "./page.ts";
import { preferencesSchema } from "./settings.ts";

/** A report of the window's; more than that it does not write. */
const maxTextLength = 4 * 1024 * 1024;

const none = z.tuple([]);
const argumentsOf = {
  // the parameters are parsed by the contract in helper-client, which knows the request's name
  helper: z.tuple([z.enum(Object.keys(requests) as [RequestName, ...RequestName[]]), z.unknown()]),
  link: none,
  preferences: none,
  setPreferences: z.tuple([preferencesSchema.partial()]),
  chooseConfiguration: none,
  apps: none,
  accounts: none,
  chooseProgram: none,
  saveText: z.tuple([z.string().min(1).max(200), z.string().max(maxTextLength)]),
  environment: none,
} as const satisfies Record<CallName, z.ZodType>;

export function answerBridge(window: () => BrowserWindow | undefined, calls: Calls): void {
  for (const name of callNames) {
    ipcMain.handle(callChannel(name), (event, ...args: unknown[]) => {
      if (!isOurs(event, window())) throw new Error(`${name}: not for this sender`);
      const parsed = argumentsOf[name].safeParse(args);
      if (!parsed.success) throw new Error(`${name}: ${z.prettifyError(parsed.error)}`);
      return (calls[name] as (...args: unknown[]) => Promise<unknown>)(...parsed.data);
    });
  }
}

/** Sends an event to the window, if there is one. */
export function tell<E extends keyof Events>(window: BrowserWindow | undefined, event: E, data: Events[E]): void {
  if (window === undefined || window.isDestroyed()) return;
  window.webContents.send(eventChannel(event), data);
}

function isOurs(event: IpcMainInvokeEvent, window: BrowserWindow | undefined): boolean {
  const frame = event.senderFrame;
  if (window === undefined || window.isDestroyed() || frame === null) return false;
  // parent null: the page itself, not a frame in it
  return event.sender === window.webContents && frame.parent === null && isPage(frame.url);
}
