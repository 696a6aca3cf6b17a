// The real Electron with the built window, a home of its own and a helper's socket of our choice. For tests.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { _electron, type ElectronApplication, type Page } from "playwright-core";

export interface Launched {
  readonly app: ElectronApplication;
  readonly page: Page;
  close(): Promise<void>;
}

export function makeHome(): { readonly folder: string; readonly socket: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "culvert-home-"));
  mkdirSync(join(folder, "config"));
  return {
    folder,
    socket: join(folder, "helper.sock"),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export async function launch(
  home: { folder: string; socket: string },
  args: readonly string[] = [],
): Promise<Launched> {
  const executablePath = process.env["CULVERT_ELECTRON"];
  if (executablePath === undefined || executablePath === "")
    throw new Error("no Electron: node scripts/run.mjs test ui");
  const start = (): ReturnType<typeof _electron.launch> =>
    _electron.launch({
      executablePath,
      timeout: 12_000,
      args: [join(import.meta.dirname, ".."), ...args],
      // Chromium's own sandbox cannot work for root; for everybody else it stays
      chromiumSandbox: process.getuid?.() !== 0,
      // the window's own theme, not one that Playwright puts over it
      colorScheme: null,
      env: {
        ...(process.env as Record<string, string>),
        XDG_CONFIG_HOME: join(home.folder, "config"),
        CULVERT_SOCKET: home.socket,
        LANGUAGE: "en",
      },
    });
  // Playwright may miss the start of an Electron as old as 22 and wait for ever; then the start is done once more
  const app = await start().catch((error: unknown) => {
    if (!String(error).includes("Timeout")) throw error;
    return start();
  });
  const page = await app.firstWindow();
  return { app, page, close: () => app.close() };
}
