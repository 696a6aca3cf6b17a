import { expect, test } from "vitest";

import { closing, countCargo, countDemo, countVitest } from "./counts.mjs";

const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };

test("passes and failures of vitest are taken as they stand", () => {
  expect(countVitest({ ...report, numFailedTests: 2 }, 1)).toEqual({ passed: 3, failed: 2, skipped: 0 });
});

test("a test file that cannot be loaded is a failure", () => {
  const testResults = [{ status: "failed", assertionResults: [] }];
  expect(countVitest({ ...report, testResults }, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
});

test("a runner that fails without naming a test is a failure", () => {
  expect(countVitest(report, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
});

test("a stage without a single test is a failure", () => {
  expect(countVitest({ ...report, numPassedTests: 0 }, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(countCargo("warning: nothing to run\n", 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("the binaries of a cargo run are added up", () => {
  const output = [
    "test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.10s",
    "test result: FAILED. 1 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
    "",
  ].join("\n");
  expect(countCargo(output, 101)).toEqual({ passed: 41, failed: 3, skipped: 2 });
});

test("a build that breaks under cargo test is a failure", () => {
  expect(countCargo("error[E0432]: unresolved import\n", 101)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("a demo without a report, or one that fails after its last check, is a failure", () => {
  expect(countDemo([], 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
  expect(countDemo([{ passed: true }], 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  expect(countDemo([{ passed: true }, { passed: false }], 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

test("the closing line names what was skipped only where something was", () => {
  expect(closing({ passed: 7, failed: 0, skipped: 0 })).toBe("7 passed, 0 failed");
  expect(closing({ passed: 7, failed: 1, skipped: 2 })).toBe("7 passed, 1 failed, 2 skipped");
});
