// The one window and its walls. The page comes from dist/app by a protocol of its own, under a policy that lets it load
// nothing else; it may not navigate, open windows, attach webviews, ask for permissions or reach a network.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { app, BrowserWindow, nativeTheme, protocol, session, type WebContents } from "electron";

import { contentPolicy, fileOf, isPage, origin, pageUrl, scheme, typeOf } from "./page.ts";
import type { Place } from "./settings.ts";

/** `--ground` of the two themes: what is seen before the page has drawn. */
const ground = { light: "#e6eae8", dark: "#0e1312" };

/** Before the app is ready: a scheme's rights cannot be given later. */
export function declareScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme, privileges: { standard: true, secure: true } }]);
}

/** Once, for every web contents that will ever be. */
export function lockDown(): void {
  serve(join(app.getAppPath(), "dist", "app"));
  const { defaultSession } = session;
  defaultSession.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  defaultSession.setPermissionCheckHandler(() => false);
  defaultSession.setDevicePermissionHandler(() => false);
  // whatever the page asks for that is not its own file ends here, also where the policy would be forgotten
  defaultSession.webRequest.onBeforeRequest((request, answer) => {
    const own = request.url.startsWith(`${origin}/`) || request.url.startsWith("data:") || isDevTools(request.url);
    answer({ cancel: !own });
  });
  app.on("web-contents-created", (_event, contents) => wall(contents));
}

export function openWindow(place: Place | undefined, hidden: boolean): BrowserWindow {
  const window = new BrowserWindow({
    width: place?.width ?? 1180,
    height: place?.height ?? 780,
    minWidth: 560,
    minHeight: 480,
    show: false,
    title: "Culvert",
    icon: join(app.getAppPath(), "assets", "icon-256.png"),
    backgroundColor: nativeTheme.shouldUseDarkColors ? ground.dark : ground.light,
    autoHideMenuBar: true,
    webPreferences: {
      preload: join(app.getAppPath(), "dist", "preload", "preload.cjs"),
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      webgl: false,
      spellcheck: false,
      safeDialogs: true,
      navigateOnDragDrop: false,
      devTools: !app.isPackaged,
    },
  });
  if (place?.maximized === true) window.maximize();
  if (!hidden) window.once("ready-to-show", () => window.show());
  // about:blank asks nobody; it has no rights, and the page is brought back
  window.webContents.on("did-navigate", (_event, url) => void (isPage(url) || window.loadURL(pageUrl)));
  void window.loadURL(pageUrl);
  return window;
}

export function placeOf(window: BrowserWindow): Place {
  const { width, height } = window.getNormalBounds();
  return { width, height, maximized: window.isMaximized() };
}

function wall(contents: WebContents): void {
  contents.setWindowOpenHandler(() => ({ action: "deny" }));
  contents.on("will-navigate", (event) => event.preventDefault());
  contents.on("will-redirect", (event) => event.preventDefault());
  contents.on("will-attach-webview", (event) => event.preventDefault());
  // WebRTC would ask the kernel for the machine's addresses without any permission
  contents.setWebRTCIPHandlingPolicy("disable_non_proxied_udp");
}

function serve(folder: string): void {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- protocol.handle came with Electron 25; tests run on 22
  protocol.registerBufferProtocol(scheme, (request, answer) => {
    const file = fileOf(folder, request.url);
    const mimeType = file === undefined ? undefined : typeOf(file);
    if (file === undefined || mimeType === undefined) return answer({ statusCode: 404, data: Buffer.alloc(0) });
    const headers = {
      "Content-Type": mimeType,
      "Content-Security-Policy": contentPolicy,
      "X-Content-Type-Options": "nosniff",
      "Cross-Origin-Opener-Policy": "same-origin",
    };
    try {
      answer({ data: readFileSync(file), mimeType: mimeType.split(";")[0] ?? "", headers });
    } catch {
      answer({ statusCode: 404, data: Buffer.alloc(0) });
    }
  });
}

const isDevTools = (url: string): boolean => !app.isPackaged && url.startsWith("devtools://");
