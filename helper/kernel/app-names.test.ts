import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { type Places, recognise } from "./app-names.ts";

let folder: string;
let places: Places;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "culvert-names-")));
  for (const name of ["applications/kde", "bin", "lib"]) mkdirSync(join(folder, name), { recursive: true });
  places = { entries: [join(folder, "applications")], path: [join(folder, "sbin"), join(folder, "bin")] };
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function entry(name: string, exec: string): void {
  writeFileSync(join(folder, "applications", name), `[Desktop Entry]\nType=Application\nName=x\nExec=${exec}\n`);
}

test("an executable is known by its path and by what it really is", () => {
  writeFileSync(join(folder, "lib", "tool-2"), "");
  symlinkSync("../lib/tool-2", join(folder, "bin", "tool"));
  expect(recognise({ kind: "executable", path: join(folder, "bin", "tool") }, places)).toEqual({
    by: "path",
    paths: [join(folder, "bin", "tool"), join(folder, "lib", "tool-2")],
  });
});

test("a desktop entry is known by the command it starts, found in PATH, with and without its suffix", () => {
  writeFileSync(join(folder, "bin", "mailer"), "");
  entry("mail.desktop", "env GDK_BACKEND=x11 mailer %u");
  const expected = { by: "path", paths: [join(folder, "bin", "mailer")] };
  expect(recognise({ kind: "desktop", id: "mail.desktop" }, places)).toEqual(expected);
  expect(recognise({ kind: "desktop", id: "mail" }, places)).toEqual(expected);
});

test("a dash in an entry's id may be a folder", () => {
  entry("kde/okular.desktop", "/usr/bin/okular %U");
  expect(recognise({ kind: "desktop", id: "kde-okular.desktop" }, places)).toMatchObject({ by: "path" });
});

test("a command that is not installed is known wherever PATH will have it", () => {
  entry("late.desktop", "late");
  const paths = [join(folder, "sbin", "late"), join(folder, "bin", "late")];
  expect(recognise({ kind: "desktop", id: "late" }, places)).toEqual({ by: "path", paths });
});

test("entries of Flatpaks and snaps lead to their cgroups", () => {
  entry("signal.desktop", "/usr/bin/flatpak run --branch=stable org.signal.Signal @@u %U @@");
  entry("firefox_firefox.desktop", "/snap/bin/firefox %u");
  expect(recognise({ kind: "desktop", id: "signal" }, places)).toEqual(
    recognise({ kind: "flatpak", id: "org.signal.Signal" }, places),
  );
  expect(recognise({ kind: "desktop", id: "firefox_firefox" }, places)).toEqual({
    by: "cgroup",
    names: [{ name: "snap.firefox.", begins: true }],
  });
});

test("what stands for much else, or for nothing, is told", () => {
  entry("script.desktop", "sh -c 'exec thing'");
  expect(recognise({ kind: "desktop", id: "script" }, places)).toEqual({ by: "nothing", why: "interpreter" });
  expect(recognise({ kind: "desktop", id: "none" }, places)).toEqual({ by: "nothing", why: "no-entry" });
  expect(recognise({ kind: "desktop", id: "../bin/none" }, places)).toEqual({ by: "nothing", why: "no-entry" });
});

test("a unit without a suffix is a service, and one with @ all its instances", () => {
  expect(recognise({ kind: "unit", name: "sshd" }, places)).toEqual({
    by: "cgroup",
    names: [{ name: "sshd.service", begins: false }],
  });
  expect(recognise({ kind: "unit", name: "getty@.service" }, places)).toEqual({
    by: "cgroup",
    names: [{ name: "getty@", begins: true }],
  });
});
