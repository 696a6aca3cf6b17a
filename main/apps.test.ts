import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { listPrograms, type Machine } from "./apps.ts";

let root: string;
let machine: Machine;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "culvert-apps-")));
  const at = (...names: readonly string[]) => names.map((name) => join(root, name));
  machine = {
    data: at("home/.local/share", "usr/share"),
    path: at("usr/bin"),
    ...{ proc: join(root, "proc"), cgroup: join(root, "cgroup"), units: at("etc/systemd", "usr/lib/systemd") },
  };
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function put(name: string, content = ""): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

function runs(pid: number, path: string): void {
  mkdirSync(join(root, "proc", String(pid)), { recursive: true });
  symlinkSync(path, join(root, "proc", String(pid), "exe"));
}

/** The head of Debian's vim.desktop (vim-common 2:9.0.1378), with its languages. */
const vim = `[Desktop Entry]
Name=Vim
Name[ru]=Vim
GenericName=Text Editor
GenericName[de]=Texteditor
Comment=Edit text files
TryExec=vim
Exec=vim %F
Terminal=true
Type=Application
Keywords=Text;editor;
Icon=gvim
Categories=Utility;TextEditor;
StartupNotify=false
MimeType=text/english;text/plain;
`;
/** As flatpak exports it (org.signal.Signal), shortened. */
const signal = `[Desktop Entry]
Name=Signal
Exec=/usr/bin/flatpak run --branch=stable --arch=x86_64 --command=signal-desktop --file-forwarding org.signal.Signal @@u %U @@
Type=Application
Icon=org.signal.Signal
X-Flatpak=org.signal.Signal
`;
/** As snapd writes it (firefox_firefox.desktop), shortened; the second group has an Exec of its own. */
const firefox = `[Desktop Entry]
X-SnapInstanceName=firefox
Version=1.0
Name=Firefox Web Browser
Name[ru]=Веб-браузер Firefox
Exec=env BAMF_DESKTOP_FILE_HINT=/var/lib/snapd/desktop/applications/firefox_firefox.desktop /snap/bin/firefox %u
Type=Application
Icon=/snap/firefox/current/default256.png
[Desktop Action NewWindow]
Name=Open a New Window
Exec=/snap/bin/firefox -new-window
`;

test("desktop entries, Flatpaks, snaps, services and what only runs, each once, by name", async () => {
  put("usr/share/applications/vim.desktop", vim);
  put("usr/share/applications/org.signal.Signal.desktop", signal);
  put("usr/share/applications/firefox_firefox.desktop", firefox);
  const file = put("usr/bin/vim.basic");
  symlinkSync(file, join(root, "usr/bin/vim"));
  runs(7, file);
  runs(8, "/opt/thing/bin/thing (deleted)");
  mkdirSync(join(root, "cgroup/user.slice/user-1000.slice/app-flatpak-org.signal.Signal-42.scope"), {
    recursive: true,
  });
  mkdirSync(join(root, "cgroup/system.slice/ssh.service"), { recursive: true });
  put("usr/lib/systemd/ssh.service", "[Unit]\nDescription=OpenBSD Secure Shell server\n");
  put("etc/systemd/multi-user.target.wants/cron.service");
  expect((await listPrograms("en-GB", machine)).map(({ app, name, running }) => [name, app, running])).toEqual([
    ["cron.service", { kind: "unit", name: "cron.service" }, false],
    ["Firefox Web Browser", { kind: "snap", name: "firefox" }, false],
    ["OpenBSD Secure Shell server", { kind: "unit", name: "ssh.service" }, true],
    ["Signal", { kind: "flatpak", id: "org.signal.Signal" }, true],
    ["thing", { kind: "executable", path: "/opt/thing/bin/thing" }, true],
    ["Vim", { kind: "desktop", id: "vim.desktop" }, true],
  ]);
});

test("names are in the desktop's language", async () => {
  put("usr/share/applications/firefox_firefox.desktop", firefox);
  expect((await listPrograms("ru", machine)).map((one) => one.name)).toEqual(["Веб-браузер Firefox"]);
  expect((await listPrograms("zh-CN", machine)).map((one) => one.name)).toEqual(["Firefox Web Browser"]);
});

test("a person's own entry stands for the machine's, also to hide it", async () => {
  put("usr/share/applications/vim.desktop", vim);
  put("home/.local/share/applications/vim.desktop", vim.replace("Name=Vim", "Name=My Vim"));
  expect((await listPrograms("en", machine)).map((one) => one.name)).toEqual(["My Vim"]);
  put("home/.local/share/applications/vim.desktop", `${vim}Hidden=true\n`);
  expect(await listPrograms("en", machine)).toEqual([]);
});

test("entries in folders have an id with dashes; parts of others, links and scripts of a shell are left out", async () => {
  put("usr/share/applications/kde4/okular.desktop", vim.replace("Exec=vim", "Exec=okular"));
  put("usr/share/applications/part.desktop", `${vim}NoDisplay=true\n`);
  put("usr/share/applications/link.desktop", "[Desktop Entry]\nType=Link\nName=x\nURL=https://example.org\n");
  put("usr/share/applications/shell.desktop", vim.replace("Exec=vim %F", "Exec=sh -c 'exec vim'"));
  put("usr/share/applications/broken.desktop", "\u0000\u0001");
  expect((await listPrograms("en", machine)).map((one) => one.app)).toEqual([
    { kind: "desktop", id: "kde4-okular.desktop" },
  ]);
});

test("pictures come from the theme, from pixmaps or from the file named, of a size for a list", async () => {
  put("usr/share/applications/vim.desktop", vim);
  put("usr/share/icons/hicolor/512x512/apps/gvim.png", "large");
  const icon = async () => (await listPrograms("en", machine))[0]?.icon;
  const url = (type: string, text: string) => `data:image/${type};base64,${Buffer.from(text).toString("base64")}`;
  expect(await icon()).toBe(url("png", "large"));
  put("usr/share/icons/hicolor/scalable/apps/gvim.svg", "<svg/>");
  expect(await icon()).toBe(url("svg+xml", "<svg/>"));
  put("usr/share/icons/hicolor/48x48/apps/gvim.png", "small");
  expect(await icon()).toBe(url("png", "small"));
  put("home/.local/share/icons/hicolor/48x48/apps/gvim.png", "x".repeat(65_537));
  expect(await icon()).toBe(url("png", "small"));
  const named = put("opt/it.png", "own");
  put("usr/share/applications/vim.desktop", vim.replace("Icon=gvim", `Icon=${named}`));
  expect(await icon()).toBe(url("png", "own"));
  put("usr/share/applications/vim.desktop", vim.replace("Icon=gvim", "Icon=../../../etc/passwd"));
  expect(await icon()).toBe(null);
});

test("a machine with nothing of this has an empty list", async () => {
  expect(await listPrograms("en", machine)).toEqual([]);
});

test("this very machine is read without a fault", async () => {
  const found = await listPrograms("en");
  expect(found.some(({ app, running }) => running && app.kind === "executable")).toBe(true);
  expect(found.every(({ name }) => name !== "")).toBe(true);
});
