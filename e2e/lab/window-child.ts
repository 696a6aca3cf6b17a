// Runs inside a lab machine as the person who sits there: starts the real Electron with Playwright and does what it is
// told over the process channel. Playwright speaks to Electron by loopback TCP, which is the machine's own, so it has to
// live in there too.
import { _electron, type ElectronApplication, type Page } from "playwright-core";

export interface Launch {
  readonly electron: string;
  readonly folder: string;
  readonly args: readonly string[];
}

/** Locators are by role and accessible name: what a screen reader finds, the demo finds. */
export type Order =
  | { readonly do: "launch"; readonly launch: Launch }
  | { readonly do: "click"; readonly role: "button" | "link" | "tab" | "radio" | "switch"; readonly name: string }
  | { readonly do: "click-css"; readonly css: string }
  | { readonly do: "fill"; readonly label: string; readonly text: string }
  | { readonly do: "press"; readonly key: string }
  | { readonly do: "wait-text"; readonly text: string; readonly timeoutMs: number }
  | { readonly do: "wait-css"; readonly css: string; readonly timeoutMs: number }
  | { readonly do: "text"; readonly css: string }
  | { readonly do: "size"; readonly width: number; readonly height: number }
  | { readonly do: "theme"; readonly theme: "light" | "dark" }
  | { readonly do: "shot"; readonly file: string }
  | { readonly do: "memory" }
  /** An expression in the page, for what only the page knows: when it saw a click. */
  | { readonly do: "evaluate"; readonly expression: string }
  | { readonly do: "close" };

export interface Told {
  readonly id: number;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: string;
}

let app: ElectronApplication | undefined;
let page: Page | undefined;
const patienceMs = 8_000;

process.on("message", (message: { id: number; order: Order }) => {
  const tell = (told: Omit<Told, "id">): void => void process.send?.({ id: message.id, ...told });
  carryOut(message.order).then(
    (value) => {
      tell({ ok: true, value });
    },
    (error: unknown) => {
      tell({ ok: false, error: String(error) });
    },
  );
});
process.on("disconnect", () => process.exit(0));

async function carryOut(order: Order): Promise<unknown> {
  if (order.do === "launch") return launch(order.launch);
  if (app === undefined || page === undefined) throw new Error("no window");
  switch (order.do) {
    case "click":
      await page.getByRole(order.role, { name: order.name, exact: true }).first().click({ timeout: patienceMs });
      return;
    case "click-css":
      await page.locator(order.css).first().click({ timeout: patienceMs });
      return;
    case "fill":
      await page.getByLabel(order.label, { exact: true }).first().fill(order.text, { timeout: patienceMs });
      return;
    case "press":
      await page.keyboard.press(order.key);
      return;
    case "wait-text":
      await page.getByText(order.text).first().waitFor({ timeout: order.timeoutMs });
      return;
    case "wait-css":
      await page.locator(order.css).first().waitFor({ timeout: order.timeoutMs });
      return;
    case "text":
      return page.locator(order.css).first().innerText({ timeout: patienceMs });
    case "size":
      await app.evaluate(({ BrowserWindow }, { width, height }) => {
        BrowserWindow.getAllWindows()[0]?.setContentSize(width, height);
      }, order);
      return;
    case "theme":
      await app.evaluate(({ nativeTheme }, { theme }) => {
        nativeTheme.themeSource = theme;
      }, order);
      return;
    case "shot":
      await page.screenshot({ path: order.file });
      return;
    case "memory":
      return app.evaluate(({ app: electron }) =>
        electron.getAppMetrics().map((one) => ({ type: one.type, kilobytes: one.memory.workingSetSize })),
      );
    case "evaluate":
      return page.evaluate(order.expression);
    case "close":
      app.removeListener("close", end);
      await app.close();
      app = undefined;
      page = undefined;
      return;
  }
}

/** Milliseconds from start to a window that shows its first heading. */
async function launch({ electron, folder, args }: Launch): Promise<number> {
  const began = performance.now();
  const chromiumSandbox = !args.includes("--no-sandbox");
  app = await started({ executablePath: electron, args: [folder, ...args], chromiumSandbox, timeout: 12_000 });
  app.once("close", end);
  page = await app.firstWindow();
  page.setDefaultTimeout(patienceMs);
  await page.locator("h1").first().waitFor();
  return performance.now() - began;
}

/** Playwright may miss the start of an Electron as old as 22 and wait for ever; then the start is done once more. */
async function started(options: Parameters<typeof _electron.launch>[0]): Promise<ElectronApplication> {
  return _electron.launch(options).catch(() => _electron.launch(options));
}

/** The person closed the window: there is nothing left to steer. */
function end(): void {
  process.exit(0);
}
