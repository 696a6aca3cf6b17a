import { expect, test } from "vitest";

import { bundleOf, bundles } from "./build.mjs";

const helper = bundles.find((one) => one.out.endsWith("culvert.mjs"));
const { outputFiles } = await bundleOf(helper);
const text = outputFiles.find((file) => file.path.endsWith(".mjs"))?.text ?? "";

test("the helper requires built-in modules, for an import would bring all that their exports bring", () => {
  const imported = [...text.matchAll(/\bfrom ?"(node:[a-z_/]+)"/g)].map(([, name]) => name);
  expect(imported).toEqual(["node:module"]);
  expect(text).toContain('require("node:http")');
});

test("the helper holds its text in one byte a character, and no languages that nobody reads", () => {
  expect(text.length).toBeGreaterThan(500_000);
  expect([...text].findIndex((character) => character.codePointAt(0) > 0x7f)).toBe(-1);
  expect(text).not.toContain("Ung\\xFCltige");
});
