import { expect, test } from "vitest";

import { badSubject } from "./check.mjs";

test.each([
  "helper/proof: refuse plans that loop the endpoint",
  "main, scripts: answer what the window asks",
  "house: README names only what is there",
  "e2e/net: IPv6 router advertisement cannot open the gate",
])("%s is a subject", (subject) => {
  expect(badSubject(subject)).toBeUndefined();
});

test.each(["fix things", "main: Add a tray", "main: add a tray.", "Main: add a tray", `main: ${"x".repeat(59)}`])(
  "%s is none",
  (subject) => {
    expect(badSubject(subject)).toBeDefined();
  },
);
