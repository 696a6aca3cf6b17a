// The real Electron window against a scripted helper, each with a home of its own. What a test needs to say: which
// scenario, and what it then finds by role and name, as a person with a screen reader would.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { _electron, type ElectronApplication, type Page } from "playwright-core";
import { onTestFinished } from "vitest";

import { openScriptedHelper, type ScriptedHelper } from "./scripted/helper.ts";
import type { World } from "./scripted/world.ts";

export interface Opened {
  readonly page: Page;
  readonly app: ElectronApplication;
  readonly world: World;
  readonly socket: string;
  /** What the page complained of: errors, and what the Content-Security-Policy refused. */
  readonly complaints: readonly string[];
  stopHelper(): Promise<void>;
  startHelper(scenario: string): Promise<World>;
  close(): Promise<void>;
}

export interface Options {
  /** null: no helper at all. */
  readonly scenario: string | null;
  readonly language?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** For the test that runs: it is closed with it. */
export async function openWindow({ scenario, language = "en", env = {} }: Options): Promise<Opened> {
  const executablePath = process.env["CULVERT_ELECTRON"];
  if (executablePath === undefined || executablePath === "") throw new Error("no Electron: npm test -- ui brings it");
  const home = mkdtempSync(join(tmpdir(), "culvert-ui-"));
  mkdirSync(join(home, "config"));
  const socket = join(home, "helper.sock");
  let helper: ScriptedHelper | undefined = scenario === null ? undefined : await openScriptedHelper(socket, scenario);
  const { app, page } = await launch(executablePath, {
    ...(process.env as Record<string, string>),
    XDG_CONFIG_HOME: join(home, "config"),
    CULVERT_SOCKET: socket,
    LANGUAGE: language,
    LC_ALL: language,
    ...env,
  });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.setDefaultTimeout(10_000);
  let closed = false;
  const opened: Opened = {
    page,
    app,
    get world() {
      if (helper === undefined) throw new Error("there is no helper now");
      return helper.world;
    },
    socket,
    complaints,
    async stopHelper() {
      await helper?.close();
      helper = undefined;
    },
    async startHelper(name) {
      helper = await openScriptedHelper(socket, name);
      return helper.world;
    },
    async close() {
      if (closed) return;
      closed = true;
      await app.close();
      await helper?.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
  onTestFinished(() => opened.close());
  return opened;
}

/**
 * On a machine that is very busy Playwright may miss the first window of an Electron as old as 22 and wait for ever; then the
 * start, and nothing that is tested, is done once more.
 */
async function launch(
  executablePath: string,
  env: Record<string, string>,
): Promise<{ app: ElectronApplication; page: Page }> {
  for (let tries = 3; ; tries--) {
    let app: ElectronApplication | undefined;
    try {
      app = await _electron.launch({
        executablePath,
        args: [join(import.meta.dirname, "../..")],
        // Chromium's own sandbox cannot work for root; for everybody else it stays
        chromiumSandbox: process.getuid?.() !== 0,
        colorScheme: null,
        timeout: 12_000,
        env,
      });
      return { app, page: app.windows()[0] ?? (await app.firstWindow({ timeout: 6000 })) };
    } catch (error) {
      // a launch that timed out was ended by Playwright itself
      app?.process().kill("SIGKILL");
      if (tries === 1) throw error;
    }
  }
}

/** Waits until something holds, asking again and again; says what it saw last when the time is over. */
export async function until<T>(ask: () => Promise<T> | T, holds: (value: T) => boolean, withinMs = 10_000): Promise<T> {
  const end = Date.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (holds(value)) return value;
    if (Date.now() > end) throw new Error(`still ${JSON.stringify(value)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export const headline = (page: Page) => page.getByRole("heading", { level: 1 });
/** What a screen reader is told of the state. */
export const announced = (page: Page): Promise<string> => page.locator("[role=status].hidden").last().innerText();
/** Opens a screen by its name in the rail. */
export const go = (page: Page, screen: string): Promise<void> =>
  page.getByRole("navigation").getByRole("button", { name: screen, exact: true }).click();
