import { expect, test } from "vitest";

import { printRows, rowOf } from "./rows.ts";

test("a row is the median with its extremes", () => {
  expect(rowOf("a", "ms", [9, 1, 100])).toEqual({ name: "a", value: 9, unit: "ms", min: 1, max: 100, n: 3 });
  expect(rowOf("a", "ms", [4, 1, 2, 3])).toMatchObject({ value: 2.5, min: 1, max: 4, n: 4 });
});

test("samples are ordered as numbers", () => {
  expect(rowOf("a", "ms", [10, 9, 100]).value).toBe(10);
});

test("a row of nothing is an error, not a zero", () => {
  expect(() => rowOf("a", "ms", [])).toThrow("a: nothing was measured");
});

test("people read one line a row", () => {
  expect(printRows([rowOf("a.b", "ms", [1]), rowOf("a", "MiB", [2.04])])).toBe(
    "a.b      1.0 ms   1.0 to 1.0, n 1\na       2.04 MiB  2.04 to 2.04, n 1",
  );
});
