// Shows the tray's value where the desktop has somebody who shows tray icons (a StatusNotifierWatcher), and follows that
// one's coming and going: panels start after us, and restart.
import { join } from "node:path";

import { app, Menu, type MenuItemConstructorOptions, nativeImage, type NativeImage, nativeTheme, Tray } from "electron";

import { watchName } from "./bus.ts";
import type { TrayAction, TrayIcon, TrayItem, TrayView } from "./tray-menu.ts";

export interface ShownTray {
  /** Whether an icon is to be seen at all. */
  available(): boolean;
  show(view: TrayView): void;
  close(): void;
}

export function openTray(act: (action: TrayAction) => void, availability: (there: boolean) => void): ShownTray {
  let tray: Tray | undefined;
  let view: TrayView | undefined;
  let shown = "";

  const draw = (): void => {
    if (tray === undefined || view === undefined) return;
    const dark = panelIsDark();
    const next = JSON.stringify([view, dark]);
    // the menu is rebuilt only for a reason: an open one would close under the hand
    if (next === shown) return;
    shown = next;
    tray.setImage(picture(view.icon, dark));
    tray.setToolTip(view.tooltip);
    tray.setContextMenu(Menu.buildFromTemplate(view.items.map((item) => entry(item, act))));
  };
  const setAvailable = (there: boolean): void => {
    if (there === (tray !== undefined)) return;
    // Chromium registers its icon only once: a panel that comes back needs a new one
    tray?.destroy();
    tray = there ? new Tray(picture(view?.icon ?? "off", panelIsDark())) : undefined;
    tray?.on("click", () => act({ kind: "open" }));
    shown = "";
    draw();
    availability(there);
  };
  const stop = watchName("org.kde.StatusNotifierWatcher", setAvailable);
  nativeTheme.on("updated", draw);

  return {
    available: () => tray !== undefined,
    show(next) {
      view = next;
      draw();
    },
    close() {
      stop();
      nativeTheme.removeListener("updated", draw);
      tray?.destroy();
      tray = undefined;
    },
  };
}

function entry(item: TrayItem, act: (action: TrayAction) => void): MenuItemConstructorOptions {
  // an underscore is the desktop's mark for an access key, and doubled it is itself
  const plain = (label: string): string => label.replace(/&/g, "&&");
  switch (item.kind) {
    case "line":
      return { type: "separator" };
    case "text":
      return { label: plain(item.label), enabled: false };
    case "action": {
      const click = (): void => act(item.action);
      const label = plain(item.label);
      return item.checked === undefined ? { label, click } : { label, click, type: "checkbox", checked: item.checked };
    }
  }
}

function picture(icon: TrayIcon, dark: boolean): NativeImage {
  // 22 is what the StatusNotifierItem hosts ask for; Electron takes the @2x file beside it by itself
  return nativeImage.createFromPath(join(app.getAppPath(), "assets", `tray-${icon}-on-${dark ? "dark" : "light"}.png`));
}

/** GNOME's top bar is dark in both themes; other panels follow the theme. */
function panelIsDark(): boolean {
  return (process.env["XDG_CURRENT_DESKTOP"] ?? "").includes("GNOME") || nativeTheme.shouldUseDarkColors;
}
