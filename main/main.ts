// Start-up as a flat list, and the only wiring. Main brokers: window ↔ helper, tray ↔ helper. It decides nothing about
// routing, and the tunnel's life does not hang on it: the helper goes on when this ends.
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { app, type BrowserWindow, Menu, nativeTheme, Notification } from "electron";

import {
  type HelperEvent,
  type Params,
  type RequestName,
  type Result,
  socketPath,
} from "../helper/contract/message.ts";
import type { Node } from "../helper/contract/node.ts";
import type { Answer } from "../helper/contract/refusal.ts";
import type { Status } from "../helper/contract/status.ts";
import type { Calls, Environment, HelperLink, Preferences } from "../preload/bridge.ts";
import { parseAccounts } from "./accounts.ts";
import { listPrograms } from "./apps.ts";
import { setAutostart } from "./autostart.ts";
import { newCanaries, ownAddresses, toldOf, whileSending } from "./canaries.ts";
import { chooseConfiguration, chooseProgram, saveText } from "./dialogs.ts";
import { openHelper } from "./helper-client.ts";
import { answerBridge, tell } from "./ipc.ts";
import { noticeOf } from "./notices.ts";
import { openSettings } from "./settings.ts";
import { type TrayAction, trayView } from "./tray-menu.ts";
import { openTray, type ShownTray } from "./tray.ts";
import { askWayIn, connectAsking } from "./way-in.ts";
import { declareScheme, lockDown, openWindow, placeOf } from "./window.ts";
import { sayer } from "./words.ts";

if (app.requestSingleInstanceLock()) start();
else app.quit();

function start(): void {
  // the scheme must be declared before the app is ready, and the app must be ready before anything else
  declareScheme();
  void app.whenReady().then(run);
}

function run(): void {
  const settings = openSettings(join(app.getPath("userData"), "window.json"));
  let window: BrowserWindow | undefined;
  let status: Status | null = null;
  let nodes: readonly Node[] = [];
  let quitting = false;

  Menu.setApplicationMenu(null);
  nativeTheme.themeSource = settings.preferences().theme;
  lockDown();

  const helper = openHelper(process.env["CULVERT_SOCKET"] ?? socketPath, `culvert-window ${app.getVersion()}`, {
    link: onLink,
    event: onEvent,
  });
  answerBridge(() => window, { ...answers(), helper: request });
  const tray = openTray(onTray, () => tell(window, "environment", environment(tray)));
  nativeTheme.on("updated", () => tell(window, "environment", environment(tray)));
  show({ hidden: process.argv.includes("--hidden") });
  redraw();

  app.on("second-instance", () => show({ hidden: false }));
  app.on("before-quit", () => (quitting = true));
  app.on("window-all-closed", () => app.quit());
  app.on("will-quit", () => {
    tray.close();
    helper.close();
  });

  function onLink(link: HelperLink): void {
    if (link.kind !== "linked") status = null;
    tell(window, "link", link);
    redraw();
  }

  function onEvent(event: HelperEvent): void {
    tell(window, "helper", event);
    if (event.event === "traffic") return;
    if (event.event === "nodes") nodes = event.data;
    if (event.event === "status") {
      const notice = noticeOf(status, event.data, say());
      status = event.data;
      if (notice !== undefined && Notification.isSupported()) new Notification(notice).show();
    }
    redraw();
  }

  function onTray(action: TrayAction): void {
    switch (action.kind) {
      case "connect":
        return void connectAsking(helper, action.node, (data) => askWayIn(window, data, say()));
      case "disconnect":
        return void helper.request("disconnect", {});
      case "open":
        return show({ hidden: false });
      case "add-node":
        show({ hidden: false });
        return tell(window, "show", { screen: "nodes" });
      case "quit":
        return app.quit();
    }
  }

  function request<N extends RequestName>(name: N, params: Params<N>): Promise<Answer<Result<N>>> {
    if (name !== "leaks") return helper.request(name, params);
    const canaries = newCanaries(ownAddresses());
    return whileSending(canaries, () => helper.request(name, { ...params, canaries: toldOf(canaries) }));
  }

  function say(): ReturnType<typeof sayer> {
    return sayer(settings.preferences().language, app.getLocale());
  }

  function redraw(): void {
    tray.show(trayView(status, nodes, say()));
  }

  function show({ hidden }: { readonly hidden: boolean }): void {
    if (window !== undefined) {
      window.show();
      return window.focus();
    }
    // without a tray nobody could bring a hidden window back
    const opened = openWindow(settings.place(), hidden && settings.preferences().tray);
    window = opened;
    opened.on("close", (event) => {
      settings.keepPlace(placeOf(opened));
      if (quitting || !settings.preferences().tray || !tray.available()) return;
      event.preventDefault();
      opened.hide();
    });
    opened.on("closed", () => (window = undefined));
  }

  function answers(): Omit<Calls, "helper"> {
    return {
      link: async () => helper.link(),
      preferences: async () => settings.preferences(),
      setPreferences: async (change) => apply(settings.change(change)),
      environment: async () => environment(tray),
      chooseConfiguration: async () => chooseConfiguration(window),
      apps: async () => listPrograms(app.getLocale()),
      accounts: async () => parseAccounts(await readFile("/etc/passwd", "utf8")),
      chooseProgram: async () => chooseProgram(window),
      saveText: async (name, text) => saveText(window, name, text),
    };
  }

  function apply(preferences: Preferences): Preferences {
    nativeTheme.themeSource = preferences.theme;
    setAutostart(preferences.autostart, startCommand());
    tell(window, "preferences", preferences);
    redraw();
    return preferences;
  }
}

function environment(tray: ShownTray): Environment {
  return {
    locale: app.getLocale(),
    dark: nativeTheme.shouldUseDarkColors,
    trayAvailable: tray.available(),
    version: app.getVersion(),
    electron: process.versions.electron,
  };
}

/** An AppImage is started by its own file, which it names in APPIMAGE; from the source tree the tree is an argument. */
function startCommand(): readonly string[] {
  const program = process.env["APPIMAGE"] ?? process.execPath;
  return app.isPackaged ? [program, "--hidden"] : [program, app.getAppPath(), "--hidden"];
}
