// Screenshots of every screen with a scripted bridge: node e2e/ui/shots.ts [--out DIR] [--only name,…] [--widths …]
// [--languages …] [--themes …]. In Electron where CULVERT_ELECTRON names one (then under a display), else in a plain
// Chromium. For eyes, not for judgement: what must hold is in the tests. Needs the window built (dist/app).
import { createServer } from "node:http";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";

import { build } from "esbuild";
import { _electron, chromium, type Page } from "playwright-core";

import { lockCauses } from "../../helper/contract/status.ts";
import type { Script } from "./scripted/fake-bridge.ts";
import { goodConf } from "./scripted/scenarios.ts";

interface Shot {
  readonly name: string;
  readonly scenario: string;
  readonly link?: Script["link"];
  readonly act?: (page: Page) => Promise<unknown>;
}

const go = (digit: number) => (page: Page) => page.keyboard.press(`Control+${String(digit)}`);
const world = (code: string) => (page: Page) => page.evaluate(code);

const shots: readonly Shot[] = [
  { name: "off", scenario: "off" },
  { name: "no-uplink", scenario: "no-uplink" },
  { name: "connecting", scenario: "connecting", act: (page) => page.locator(".btn.first").click() },
  { name: "protected", scenario: "connected" },
  { name: "lan-only", scenario: "first-policy" },
  { name: "unproven", scenario: "unproven" },
  {
    name: "stale",
    scenario: "old",
    act: world(`culvertWorld.drift("route 10.8.0.0/24 dev enp3s0", "NetworkManager", false)`),
  },
  { name: "bypass", scenario: "bypass", act: world(`culvertWorld.drift("rule 4210 deleted", null, true)`) },
  {
    name: "offered",
    scenario: "connected",
    act: world(
      `culvertWorld.drift("rule 4210 deleted", "othervpn", true); culvertWorld.offer("rule 100 lookup 51820", "wg-quick")`,
    ),
  },
  {
    name: "fight-by",
    scenario: "connected",
    act: world(`culvertWorld.drift("rule 4900 deleted", "othervpn", true); culvertWorld.lock("fight", "othervpn")`),
  },
  { name: "missed", scenario: "missed" },
  { name: "locked", scenario: "connected", act: world(`culvertWorld.lock("node-silent")`) },
  ...lockCauses
    .filter((cause) => cause !== "node-silent")
    .map((cause) => ({ name: cause, scenario: "connected", act: world(`culvertWorld.lock("${cause}")`) })),
  { name: "failed", scenario: "failed" },
  { name: "failed-long", scenario: "failed-long" },
  { name: "switching", scenario: "switching", act: switchNode },
  { name: "leaking", scenario: "leaking" },
  { name: "long", scenario: "long" },
  { name: "drift", scenario: "drift" },
  { name: "unheard", scenario: "connected", act: world(`for (const l of culvertSay.link) l({kind: "absent"})`) },
  { name: "nodes", scenario: "connected", act: go(2) },
  { name: "nodes-many", scenario: "many", act: go(2) },
  { name: "nodes-one", scenario: "one", act: go(2) },
  { name: "nodes-none", scenario: "empty", act: go(2) },
  { name: "nodes-long", scenario: "long", act: go(2) },
  {
    name: "nodes-dead",
    scenario: "off",
    act: async (page) => {
      await go(2)(page);
      await page.getByText("Ardenfell").click();
    },
  },
  { name: "lanes", scenario: "connected", act: go(3) },
  { name: "lanes-first", scenario: "first-policy", act: go(3) },
  { name: "lanes-refused", scenario: "no-apps", act: ruleByProgram },
  { name: "lanes-broken", scenario: "connected", act: brokenRule },
  { name: "lanes-trial", scenario: "remote", act: trial },
  { name: "lanes-tried", scenario: "remote", act: tried },
  { name: "picker", scenario: "connected", act: openPicker },
  { name: "rule-all", scenario: "connected", act: fullRule },
  { name: "lanes-drag", scenario: "connected", act: dragCard },
  { name: "lanes-edit", scenario: "connected", act: editLanes },
  { name: "lanes-long", scenario: "long", act: go(3) },
  {
    name: "rule",
    scenario: "connected",
    act: async (page) => {
      await go(3)(page);
      await page.locator("[data-card=r4]").press("Enter");
    },
  },
  { name: "leaks", scenario: "connected", act: checkLeaks },
  { name: "leaks-bad", scenario: "leaking", act: checkLeaks },
  { name: "leaks-off", scenario: "off", act: go(4) },
  { name: "settings", scenario: "unproven", act: go(5) },
  { name: "first", scenario: "empty" },
  {
    name: "first-file",
    scenario: "empty",
    act: (page) =>
      page.locator("button:has-text('file'), button:has-text('файл'), button:has-text('文件')").first().click(),
  },
  { name: "first-bad", scenario: "empty", act: pasteBad },
  { name: "absent", scenario: "off", link: { kind: "absent" } },
  { name: "not-allowed", scenario: "off", link: { kind: "not-allowed" } },
  { name: "wrong-version", scenario: "off", link: { kind: "wrong-version", version: "0.0.9" } },
  {
    name: "add",
    scenario: "connected",
    act: async (page) => {
      await go(2)(page);
      await page.locator(".head .btn").last().click();
    },
  },
];

async function switchNode(page: Page): Promise<void> {
  await go(2)(page);
  await page.getByText("Lindal").click();
  await page.locator("aside .btn.first").click();
}

async function editLanes(page: Page): Promise<void> {
  await go(3)(page);
  await page.locator("[data-card=r4]").focus();
  for (const key of [" ", "ArrowLeft", "ArrowUp"]) await page.keyboard.press(key);
  await page.waitForTimeout(500);
}

async function openPicker(page: Page): Promise<void> {
  await go(3)(page);
  await page.locator("[data-card=r4]").press("Enter");
  await page.locator("dialog .btn.tiny").click();
  await page.locator("[role=option]").nth(1).click();
}

async function fullRule(page: Page): Promise<void> {
  await openPicker(page);
  await page.locator("dialog .btn.first").click();
  await page.locator("dialog summary").click();
  await page.locator("dialog select").selectOption("1001");
  await page.locator("dialog textarea").nth(1).fill("example.org\n*.exa mple!");
  await page.locator("dialog .btn.first").click();
}

async function ruleByProgram(page: Page): Promise<void> {
  await openPicker(page);
  await page.locator("dialog .btn.first").click();
  await page.locator("dialog .btn.first").click();
  await page.waitForTimeout(500);
}

async function brokenRule(page: Page): Promise<void> {
  await go(3)(page);
  await page.locator("[data-card=r4]").press("Enter");
  await page.locator("dialog textarea").first().fill("0.0.0.0/0");
  await page.locator("dialog .btn.first").click();
  await page.waitForTimeout(500);
  await page.locator("summary").first().click();
}

async function trial(page: Page): Promise<void> {
  await go(3)(page);
  await page.locator("button.switch").click();
  await page.waitForTimeout(500);
}

async function tried(page: Page): Promise<void> {
  await trial(page);
  await page.locator("section .btn").nth(1).click();
}

async function dragCard(page: Page): Promise<void> {
  await go(3)(page);
  const from = await page.locator("[data-card=r4]").boundingBox();
  const to = await page.locator("[data-card=r3]").boundingBox();
  if (from === null || to === null) return;
  await page.mouse.move(from.x + 30, from.y + 20);
  await page.mouse.down();
  await page.mouse.move(to.x + 60, to.y + 60, { steps: 8 });
}

async function checkLeaks(page: Page): Promise<void> {
  await go(4)(page);
  await page.locator("main .page .btn").last().click();
  await page.locator("tbody tr").first().waitFor();
}

async function pasteBad(page: Page): Promise<void> {
  await page.locator("button.plate").click();
  await page.locator("textarea").fill(goodConf.replace("Address", "Adress"));
  await page.locator("input").fill("lindal");
  await page.locator(".btn.first").click();
  await page.locator(".note").waitFor();
}

const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
// as strict as main's: what it refuses would be refused in the window too
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'none'";

async function serve(): Promise<{ url: string; close: () => void }> {
  const root = join(import.meta.dirname, "../../dist/app");
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : (request.url ?? "/");
    readFile(join(root, path)).then(
      (body) =>
        response
          .writeHead(200, {
            "content-type": types[extname(path)] ?? "application/octet-stream",
            "content-security-policy": policy,
          })
          .end(body),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const at = server.address();
  if (at === null || typeof at === "string") throw new Error("no port");
  return { url: `http://127.0.0.1:${String(at.port)}/`, close: () => server.close() };
}

async function bridgeCode(): Promise<string> {
  const made = await build({
    entryPoints: [join(import.meta.dirname, "scripted/fake-bridge.ts")],
    bundle: true,
    format: "iife",
    target: "chrome108",
    write: false,
  });
  return made.outputFiles[0]?.text ?? "";
}

/** Opens an empty page of a size. */
interface Camera {
  open(size: { readonly width: number; readonly height: number }): Promise<Page>;
  close(): Promise<void>;
}

/** The smallest app there is; each picture opens a window of its own in it. */
const emptyApp = `const { app, BrowserWindow } = require("electron");
app.whenReady().then(() => new BrowserWindow({ width: 100, height: 100 }).loadURL("data:text/html,"));
app.on("window-all-closed", () => undefined);`;

async function electronCamera(executablePath: string): Promise<Camera> {
  const folder = await mkdtemp(join(tmpdir(), "culvert-shots-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "shots", version: "0.0.0", main: "main.cjs" }));
  await writeFile(join(folder, "main.cjs"), emptyApp);
  const app = await _electron.launch({
    executablePath,
    args: [folder],
    chromiumSandbox: process.getuid?.() !== 0,
    colorScheme: null,
  });
  return {
    open: async ({ width, height }) => {
      const opened = app.waitForEvent("window");
      await app.evaluate(
        ({ BrowserWindow }, size) =>
          new BrowserWindow({ ...size, useContentSize: true, frame: false }).loadURL("data:text/html,"),
        { width, height },
      );
      const page = await opened;
      await page.emulateMedia({ reducedMotion: "reduce" });
      return page;
    },
    close: async () => {
      await app.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function chromiumCamera(): Promise<Camera> {
  const browser = await chromium.launch({
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: ["--no-sandbox"],
  });
  return {
    open: (viewport) => browser.newPage({ viewport, reducedMotion: "reduce" }),
    close: () => browser.close(),
  };
}

async function shoot(camera: Camera, url: string, code: string, shot: Shot, look: Look, out: string): Promise<void> {
  const page = await camera.open(look);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") console.log(`${shot.name}: ${message.text()}`);
  });
  page.on("pageerror", (error) => {
    console.log(`${shot.name}: ${error.message}`);
  });
  const script: Script = {
    scenario: shot.scenario,
    link: shot.link ?? { kind: "linked", version: "0.1.0" },
    preferences: { language: look.language, theme: look.theme },
    environment: {},
  };
  await page.addInitScript(`window.culvertScript = ${JSON.stringify(script)};\n${code}`);
  await page.goto(url);
  await page.locator("h1, button").first().waitFor();
  await page.waitForTimeout(100);
  await shot.act?.(page);
  await page.waitForTimeout(seconds);
  const name = `${shot.name}-${look.language}-${look.theme}-${String(look.width)}.png`;
  await page.screenshot({ path: join(out, name) });
  const clipped = await page.evaluate<string[]>(clippedText);
  if (clipped.length > 0) console.log(`${name}: clipped ${JSON.stringify(clipped)}`);
  await page.close();
}

/** Text that is wider than its box and neither shortened on purpose nor scrolled. */
const clippedText = `[...document.querySelectorAll("button, h1, h2, p, dt, dd, b, span, label, th")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && !e.closest(".cut, .hidden, [class*=open]"))
  .filter((e) => getComputedStyle(e).display !== "inline")
  .map((e) => e.textContent.slice(0, 40))`;

interface Look {
  readonly language: "en" | "ru" | "zh";
  readonly theme: "light" | "dark";
  readonly width: number;
  readonly height: number;
}

const sizes = [
  [560, 480],
  [760, 560],
  [1080, 720],
  [1600, 1000],
] as const;
const args = process.argv.slice(2);
const value = (name: string): string | undefined => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const out = value("--out") ?? "test-results/shots";
const seconds = Number(value("--wait") ?? 1300);
const languages = (value("--languages") ?? "en").split(",") as Look["language"][];
const themes = (value("--themes") ?? "light").split(",") as Look["theme"][];
const widths = (value("--widths") ?? "1080").split(",").map(Number);
const only = (value("--only") ?? "").split(",").filter(Boolean);

await mkdir(out, { recursive: true });
const [{ url, close }, code] = await Promise.all([serve(), bridgeCode()]);
const electron = process.env["CULVERT_ELECTRON"];
const camera = electron === undefined ? await chromiumCamera() : await electronCamera(electron);
for (const shot of shots.filter((one) => only.length === 0 || only.includes(one.name)))
  for (const language of languages)
    for (const theme of themes)
      for (const [width, height] of sizes.filter(([width]) => widths.includes(width)))
        await shoot(camera, url, code, shot, { language, theme, width, height }, out);
await camera.close();
close();
