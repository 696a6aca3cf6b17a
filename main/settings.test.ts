import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { defaults, openSettings } from "./settings.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "culvert-settings-"));
  file = join(folder, "profile", "window.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a first start has the defaults and writes nothing", () => {
  expect(openSettings(file).preferences()).toEqual(defaults);
  expect(readdirSync(folder)).toEqual([]);
});

test("what was changed is there after the next start", () => {
  openSettings(file).change({ theme: "dark" });
  openSettings(file).keepPlace({ width: 900, height: 700, maximized: false });
  const again = openSettings(file);
  expect(again.preferences()).toEqual({ ...defaults, theme: "dark" });
  expect(again.place()).toEqual({ width: 900, height: 700, maximized: false });
});

test("a file cut short costs the preferences, not the start", () => {
  openSettings(file).change({ theme: "dark" });
  writeFileSync(file, readFileSync(file, "utf8").slice(0, 20));
  expect(openSettings(file).preferences()).toEqual(defaults);
});

test("one bad value does not cost the others", () => {
  openSettings(file).change({ theme: "dark" });
  const bad = JSON.stringify({ preferences: { theme: "dark", language: "xx", toString: 1 }, place: { width: "wide" } });
  writeFileSync(file, bad);
  const read = openSettings(file);
  expect(read.preferences()).toEqual({ ...defaults, theme: "dark" });
  expect(read.place()).toBeUndefined();
});

test("writing leaves no second file behind", () => {
  openSettings(file).change({ tray: false });
  expect(readdirSync(join(folder, "profile"))).toEqual(["window.json"]);
});
