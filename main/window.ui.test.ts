import { afterAll, beforeAll, expect, test } from "vitest";

import { callNames } from "../preload/bridge.ts";
import { launch, type Launched, makeHome } from "./launch.ts";
import { contentPolicy, pageUrl } from "./page.ts";

const home = makeHome();
let culvert: Launched;

beforeAll(async () => {
  culvert = await launch(home);
  await culvert.page.waitForLoadState();
});
afterAll(async () => {
  await culvert.close();
  home.remove();
});

test("the page sees the bridge and nothing else of Node or Electron", async () => {
  expect(await inPage("Object.keys(culvert).sort()")).toEqual([...callNames, "on"].sort());
  expect(await inPage("[typeof require, typeof process, typeof module, typeof Buffer].join()")).toBe(
    "undefined,undefined,undefined,undefined",
  );
});

test("the page runs under the policy, and inline code does not run", async () => {
  const inline = `(() => { const s = document.createElement("script"); s.textContent = "window.ran = 1";
    document.body.append(s); return typeof window.ran })()`;
  expect(await inPage(inline)).toBe("undefined");
  // from a timer: what the test itself evaluates is exempt from the policy
  const later = `new Promise((done) => setTimeout(() => { try { done(eval("1")) } catch (e) { done(e.name) } }))`;
  expect(await inPage(later)).toBe("EvalError");
  const page = await culvert.page.reload();
  expect(page?.headers()["content-security-policy"]).toBe(contentPolicy);
});

test.each(["https://192.0.2.1/", "file:///etc/passwd", "data:text/html,<p>x</p>", "culvert://window/elsewhere.html"])(
  "the page cannot go to %s, nor open it",
  async (url) => {
    expect(await inPage(`String(window.open(${JSON.stringify(url)}))`)).toBe("null");
    const walk = `(() => { const a = document.createElement("a"); a.href = ${JSON.stringify(url)}; document.body.append(a);
    a.click(); a.remove() })()`;
    await inPage(walk);
    // a navigation that is let through would have replaced the page by the time two frames are drawn
    await inPage("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    expect(culvert.page.url().split("#")[0]).toBe(pageUrl);
  },
);

test("a page that blanks itself is brought back", async () => {
  const back = culvert.page.waitForURL(pageUrl);
  await inPage(`void setTimeout(() => { location.href = "about:blank" })`);
  await culvert.page.waitForURL("about:blank", { waitUntil: "commit" }).catch(() => undefined);
  await back;
  await culvert.page.waitForURL(pageUrl);
});

test("the page reaches no network, by any door", async () => {
  const no = (call: string): string => `${call}.then(() => "reached", (e) => e.name)`;
  expect(await inPage(no(`fetch("http://127.0.0.1:9/")`))).toBe("TypeError");
  const socket = `new Promise((done) => { try { const s = new WebSocket("ws://127.0.0.1:9/"); s.onopen = () => done("reached");
    s.onerror = () => done("refused") } catch { done("refused") } })`;
  expect(await inPage(socket)).toBe("refused");
  const image = `new Promise((done) => { const i = new Image(); i.onload = () => done("reached"); i.onerror = () => done("refused");
    i.src = "http://127.0.0.1:9/x.png" })`;
  expect(await inPage(image)).toBe("refused");
});

test("WebRTC learns no address of the machine", async () => {
  const candidates = `(async () => { const c = new RTCPeerConnection(); const found = [];
    c.onicecandidate = (e) => e.candidate && found.push(e.candidate.candidate); c.createDataChannel("x");
    await c.setLocalDescription(await c.createOffer());
    await new Promise((done) => { if (c.iceGatheringState === "complete") done();
      c.onicegatheringstatechange = () => c.iceGatheringState === "complete" && done() });
    c.close(); return found })()`;
  expect(await inPage(candidates)).toEqual([]);
});

test("every permission is refused", async () => {
  expect(await inPage("Notification.requestPermission()")).toBe("denied");
  expect(await inPage(`navigator.permissions.query({ name: "geolocation" }).then((p) => p.state)`)).toBe("denied");
  expect(
    await inPage(`(navigator.mediaDevices?.getUserMedia({ audio: true }) ?? Promise.reject(new Error("none")))
    .then(() => "given", () => "refused")`),
  ).toBe("refused");
});

test("a frame in the page has no bridge", async () => {
  const frame = `(() => { const f = document.createElement("iframe"); document.body.append(f);
    const seen = typeof f.contentWindow.culvert; f.remove(); return seen })()`;
  expect(await inPage(frame)).toBe("undefined");
});

test("another window with our preload and our page is not answered", async () => {
  const preload = await culvert.app.evaluate(({ app }) => `${app.getAppPath()}/dist/preload/preload.cjs`);
  const answer = await culvert.app.evaluate(
    async ({ BrowserWindow }, [preload, url]) => {
      const other = new BrowserWindow({ show: false, webPreferences: { preload, sandbox: true } });
      await other.loadURL(url);
      const said: unknown = await other.webContents.executeJavaScript(
        'culvert.link().then(() => "answered", (e) => String(e))',
      );
      other.destroy();
      return said;
    },
    [preload, pageUrl] as const,
  );
  expect(answer).toContain("not for this sender");
});

test("arguments that are not in the contract are refused", async () => {
  const refused = (call: string): Promise<unknown> => inPage(`${call}.then(() => "done", () => "refused")`);
  expect(await refused(`culvert.setPreferences({ theme: "pink" })`)).toBe("refused");
  expect(await refused(`culvert.setPreferences({ theme: "dark", more: 1 })`)).toBe("refused");
  expect(await refused(`culvert.helper("exec", {})`)).toBe("refused");
  expect(await refused(`culvert.saveText("x", 7)`)).toBe("refused");
  expect(await refused(`culvert.link(1)`)).toBe("refused");
  expect(
    await inPage(`(() => { try { culvert.on("anything", () => {}); return "heard" } catch { return "refused" } })()`),
  ).toBe("refused");
});

test("a preference is kept, told back, and takes effect", async () => {
  await inPage(`void culvert.on("preferences", (p) => { window.heard = p.theme })`);
  expect(await inPage(`culvert.setPreferences({ theme: "dark" }).then((p) => p.theme)`)).toBe("dark");
  await culvert.page.waitForFunction(`window.heard === "dark"`);
  expect(await inPage(`matchMedia("(prefers-color-scheme: dark)").matches`)).toBe(true);
  expect(await inPage(`culvert.environment().then((e) => e.dark)`)).toBe(true);
});

test("a second start brings the first window back instead of opening another", async () => {
  const second = launch(home);
  await expect(second).rejects.toThrow();
  expect(await culvert.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
});

const inPage = (expression: string): Promise<unknown> => culvert.page.evaluate(expression);
