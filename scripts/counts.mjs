// (pure) From what the test runners say to how many passed and failed. A stage that ran nothing has failed: silence is
// not success. So has one whose runner failed although each test passed.

/** From Vitest's JSON report. A file that cannot be loaded has no tests in it and counts as one failure. */
export function countVitest(report, code) {
  const broken = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  return settle(
    {
      passed: report.numPassedTests,
      failed: report.numFailedTests + broken.length,
      skipped: report.numPendingTests + report.numTodoTests,
    },
    code,
  );
}

/** From cargo's output: one "test result" line for each binary, doc tests among them. */
export function countCargo(output, code) {
  const sum = { passed: 0, failed: 0, skipped: 0 };
  for (const [, passed, failed, ignored] of output.matchAll(
    /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm,
  )) {
    sum.passed += Number(passed);
    sum.failed += Number(failed);
    sum.skipped += Number(ignored);
  }
  return settle(sum, code);
}

/** From the demo's report. */
export function countDemo(checks, code) {
  const passed = checks.filter((check) => check.passed === true).length;
  return settle({ passed, failed: checks.length - passed, skipped: 0 }, code);
}

export function add(one, other) {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: one.skipped + other.skipped,
  };
}

export const nothing = { passed: 0, failed: 0, skipped: 0 };
export const failure = { passed: 0, failed: 1, skipped: 0 };

/** The closing line; `.ci/run` adds those of several commands up, so its form is fixed. */
export function closing(sum) {
  return `${sum.passed} passed, ${sum.failed} failed${sum.skipped > 0 ? `, ${sum.skipped} skipped` : ""}`;
}

function settle(sum, code) {
  const silent = sum.passed + sum.failed === 0 || (code !== 0 && sum.failed === 0);
  return silent ? add(sum, failure) : sum;
}
