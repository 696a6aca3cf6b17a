// The one entry of every npm script: node scripts/run.mjs VERB. Starts on whatever Node the machine has, brings the Node
// packages, goes on in the Node 24 that came with them, sets up what the verb needs, and does it.
import { spawn } from "node:child_process";

import { node24, nodePackages } from "./packages.mjs";
import { Problem, say, seconds, step } from "./steps.mjs";

const [verb, ...rest] = process.argv.slice(2);

const tools = ["tools", "rust", "electron", "bundles"];
const bare = ["compiler", "rust", "bundles"];
/** What must be there before, in this order; and the work, whose value is the exit code. */
const verbs = {
  demo: { needs: tools, work: async () => (await import("./programs.mjs")).demo(rest) },
  test: { needs: [...tools, "resolvers"], work: async () => (await import("./test.mjs")).test(rest) },
  check: { needs: ["compiler", "toolchain"], work: async () => (await import("./test.mjs")).test(["check"]) },
  lab: { needs: ["tools", "rust", "bundles"], work: async () => (await import("./programs.mjs")).lab(rest) },
  bench: { needs: [...tools, "measuring"], work: async () => (await import("./programs.mjs")).bench(rest) },
  build: { needs: bare, work: async () => 0 },
  dist: { needs: bare, work: async () => (await import("./programs.mjs")).dist(rest) },
};

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(error instanceof Problem ? `\n${error.message}\n` : `${error.stack}\n`);
  process.exitCode = 1;
}

async function main() {
  if (!Object.hasOwn(verbs, verb ?? "")) {
    process.stderr.write(`usage: npm run ${Object.keys(verbs).join(" | ")}\n`);
    return 2;
  }
  if (process.env.CULVERT_ON_NODE24 !== "1") {
    await step("Node packages", nodePackages);
    return again();
  }
  const began = Date.now();
  // what is run from here on is what was just built, not the sources
  process.env.CULVERT_BUILT = "1";
  for (const need of verbs[verb].needs) await setUp(need);
  say(`${seconds(Date.now() - began)}  set-up in all`);
  return verbs[verb].work();
}

/** This script once more, on Node 24. */
function again() {
  const child = spawn(node24, process.argv.slice(1), {
    stdio: "inherit",
    env: { ...process.env, CULVERT_ON_NODE24: "1" },
  });
  // Ctrl-C reaches the child by the terminal; what is sent to this process alone is passed on
  for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  process.on("SIGINT", () => undefined);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

async function setUp(need) {
  // loaded only here: these files are for Node 24 and for packages that are in place
  const { systemTools } = await import("./system.mjs");
  const { rustBuild, rustToolchain } = await import("./rust.mjs");
  if (need === "tools") await step("system tools", () => systemTools(["build", "lab", "window"]));
  if (need === "measuring") await step("measuring tools", () => systemTools(["bench"]));
  if (need === "compiler") await step("system tools", () => systemTools(["build"]));
  if (need === "toolchain" || need === "rust") await step("Rust toolchain", rustToolchain);
  if (need === "rust") await step("Rust build", rustBuild);
  if (need === "resolvers") await step("resolvers", (await import("./resolvers.mjs")).resolvers);
  if (need === "electron") await step("Electron", (await import("./electron.mjs")).electron);
  if (need === "bundles") {
    const { buildBundles, buildWindow } = await import("./build.mjs");
    await step("bundles", buildBundles);
    await step("window", buildWindow);
  }
}
