// Three kinds of tests, told by their names: x.test.ts needs nothing; x.net.test.ts needs network namespaces of its own
// (scripts/test.mjs gives it them); x.ui.test.ts needs a display and a session bus (given likewise).
import { defineConfig } from "vitest/config";

import { findElectron } from "./scripts/electron.mjs";
import { findResolvers } from "./scripts/resolvers.mjs";

const never = ["**/node_modules/**", "dist/**", "native/**"];
/** `npm test -- forms` takes every packet test through the other forms of taking over as well (T2); e2e/net/road.ts reads this. */
const otherForms = process.env["CULVERT_LONG"] === "1" ? ["metric", "halves", "eighths"] : [];
const sets = ["**/*.net.test.ts", "**/*.ui.test.ts"];
/** The real resolvers get namespaces that no other test has used. */
const realResolvers = "helper/kernel/resolver.net.test.ts";
/** Net tests never run in the machine's own network. */
const setupFiles = ["e2e/lab/only-inside.ts"];

export default defineConfig({
  test: {
    // A second start of the app ends itself while Playwright still greets it; that greeting has no one who could catch it.
    onUnhandledError: ({ message, stack }) =>
      !(
        message.includes("session closed") &&
        (stack ?? "").includes("_CRSession") &&
        message.includes("Runtime.evaluate")
      ),
    projects: [
      {
        test: { name: "unit", include: ["**/*.test.{ts,tsx,mjs}"], exclude: [...never, ...sets], testTimeout: 20_000 },
      },
      {
        test: {
          name: "net",
          include: ["{helper,e2e,native}/**/*.net.test.ts"],
          exclude: ["**/node_modules/**", realResolvers],
          // two cores carry one lab at a time, and a flood needs both
          setupFiles,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "resolvers",
          include: [realResolvers],
          setupFiles,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          env: { CULVERT_RESOLVERS: findResolvers() ?? "" },
        },
      },
      ...otherForms.map((form) => ({
        test: {
          name: `net-${form}`,
          include: ["e2e/net/**/*.net.test.ts"],
          exclude: ["**/node_modules/**"],
          setupFiles,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          env: { CULVERT_FORM: form },
        },
      })),
      {
        test: {
          name: "ui",
          include: ["{app,main,e2e}/**/*.ui.test.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          env: { CULVERT_ELECTRON: findElectron()?.path ?? "" },
        },
      },
    ],
  },
});
