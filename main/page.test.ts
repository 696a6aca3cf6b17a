import { expect, test } from "vitest";

import { contentPolicy, fileOf, isPage } from "./page.ts";

const folder = "/opt/culvert/dist/app";

test("a URL of the page names a file of its folder", () => {
  expect(fileOf(folder, "culvert://window/assets/index.js?x#y")).toBe(`${folder}/assets/index.js`);
});

test.each([
  "culvert://window/../../etc/passwd",
  "culvert://window/%2e%2e/%2e%2e/etc/passwd",
  "culvert://window/..%2f..%2f..%2fetc/passwd",
  "culvert://window/%00",
  "culvert://window/%zz",
  "culvert://other/index.html",
  "culvert://window.evil/index.html",
  "file:///etc/passwd",
])("%s names nothing outside it", (url) => {
  const file = fileOf(folder, url);
  expect(file === undefined || file.startsWith(`${folder}/`)).toBe(true);
  if (!url.includes("..") && !url.includes("%2e")) expect(file).toBeUndefined();
});

test("only the page itself is the page", () => {
  expect(isPage("culvert://window/index.html#nodes")).toBe(true);
  expect(isPage("culvert://window/other.html")).toBe(false);
  expect(isPage("https://window/index.html")).toBe(false);
});

test("the policy lets in nothing from elsewhere and nothing inline", () => {
  expect(contentPolicy).toMatch(/^default-src 'none';/);
  expect(contentPolicy).not.toMatch(/unsafe|https?:|\*/);
});
