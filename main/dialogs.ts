// The desktop's file dialogs: a configuration to read, a program to name, a report to write. The window never gets a path
// it could read from, only what the person chose.
import { open, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { app, type BrowserWindow, dialog, type OpenDialogOptions } from "electron";

import { maxConfBytes } from "../helper/contract/message.ts";
import type { Calls } from "../preload/bridge.ts";

export async function chooseConfiguration(window: BrowserWindow | undefined): ReturnType<Calls["chooseConfiguration"]> {
  const filters = [
    { name: "WireGuard", extensions: ["conf"] },
    { name: "*", extensions: ["*"] },
  ];
  const file = await chooseFile(window, { filters });
  if (file === null) return null;
  return { name: basename(file).replace(/\.conf$/i, ""), text: await readStart(file, maxConfBytes + 1) };
}

export async function chooseProgram(window: BrowserWindow | undefined): Promise<string | null> {
  // where most of them are; a link is left as it is, for the helper resolves it where it will be run
  return chooseFile(window, { defaultPath: "/usr/bin/", properties: ["noResolveAliases"] });
}

export async function saveText(window: BrowserWindow | undefined, suggested: string, text: string): Promise<boolean> {
  const options = { defaultPath: join(app.getPath("documents"), basename(suggested)) };
  const chosen = await (window === undefined ? dialog.showSaveDialog(options) : dialog.showSaveDialog(window, options));
  if (chosen.canceled || chosen.filePath === "") return false;
  await writeFile(chosen.filePath, text);
  return true;
}

async function chooseFile(window: BrowserWindow | undefined, wish: OpenDialogOptions): Promise<string | null> {
  const options: OpenDialogOptions = { ...wish, properties: ["openFile", ...(wish.properties ?? [])] };
  const chosen = await (window === undefined ? dialog.showOpenDialog(options) : dialog.showOpenDialog(window, options));
  return chosen.canceled ? null : (chosen.filePaths[0] ?? null);
}

/** A byte more than a configuration may have is enough for the helper to refuse it; the rest may be gigabytes. */
async function readStart(file: string, bytes: number): Promise<string> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
