// All tests, stage by stage; a stage that fails does not keep the next from running. What each said in full lies in
// test-results/; the terminal gets one line a stage and the failures.
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { check } from "./check.mjs";
import { add, closing, countCargo, countVitest, failure, nothing } from "./counts.mjs";
import { node24 } from "./packages.mjs";
import { virtualDisplay } from "./programs.mjs";
import { onPath } from "./rust.mjs";
import { isRoot, logs, root, run, say, seconds, which } from "./steps.mjs";

// every packet test once more in each other form of taking over (T2): half an hour more, so only when asked for
const otherForms = ["metric", "halves", "eighths"].map((form) => `net-${form}`);

/** Runs the stages named, or all but the other forms: those by `forms`, or with CULVERT_LONG=1. Gives the exit code. */
export async function test(only) {
  const long = only.length === 0 && process.env.CULVERT_LONG === "1";
  const stages = [
    ["check", check],
    ["unit", () => vitest("unit", [])],
    ["rust", rust],
    ["net", () => vitest("net", apart)],
    ["resolvers", () => vitest("resolvers", apart)],
    ...otherForms.map((name) => [name, () => vitest(name, apart)]),
    ["ui", () => vitest("ui", virtualDisplay)],
  ];
  const wanted = (name) => {
    if (otherForms.includes(name)) return long || only.includes("forms") || only.includes(name);
    return only.length === 0 || only.includes(name);
  };
  let sum = nothing;
  for (const [name, work] of stages.filter(([name]) => wanted(name))) {
    const began = Date.now();
    const got = await work();
    say(`${seconds(Date.now() - began)}  ${name}: ${closing(got)}`);
    sum = add(sum, got);
  }
  say(closing(sum));
  return sum.failed === 0 && sum.passed > 0 ? 0 : 1;
}

async function vitest(project, inside) {
  mkdirSync(logs, { recursive: true });
  const file = join(logs, `${project}.json`);
  rmSync(file, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile=${file}`];
  const tool = [node24, join(root, "node_modules", "vitest", "vitest.mjs"), "run", "--project", project, ...reporters];
  const [command, ...args] = [...inside, ...tool];
  const done = await run(command, args, {
    log: project,
    // a lab starts a dozen of Node's processes, a test asks `culvert` a dozen times: 0.13 s each instead of 0.36
    env: {
      ...{ NO_COLOR: "1", FORCE_COLOR: "0", CULVERT_LONG: otherForms.includes(project) ? "1" : "" },
      NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "compiled"),
    },
    timeoutMs: stageLimitMs,
  });
  if (!existsSync(file)) {
    say(tail(done.output));
    return failure;
  }
  const sum = countVitest(JSON.parse(readFileSync(file, "utf8")), done.code);
  if (sum.failed > 0) say(failures(done.output));
  return sum;
}

async function rust() {
  const cargo = which("cargo") ?? "cargo";
  const needsRoot = isRoot ? ["--", "--include-ignored"] : [];
  const args = ["test", "--release", "--locked", "--workspace", "--no-fail-fast", ...needsRoot];
  const [command, ...rest] = [...(isRoot ? apart : []), cargo, ...args];
  const options = { cwd: join(root, "native"), env: onPath(cargo), log: "rust", timeoutMs: stageLimitMs };
  // what only tests need is fetched and built out here: in there is no network
  const built = await run(cargo, ["test", "--release", "--locked", "--workspace", "--no-run"], options);
  if (built.code !== 0) {
    say(tail(built.output));
    return failure;
  }
  const done = await run(command, rest, options);
  const sum = countCargo(done.output, done.code);
  if (sum.failed > 0) say(tail(done.output));
  return sum;
}

// namespaces that vanish with the command: nothing that a test does reaches the machine's own network
const apart = [node24, join(root, "e2e", "lab", "enter.ts")];
// the whole ends within 25 minutes on two cores, the longest stage in 16: what hangs is ended, a slower machine is not
const stageLimitMs = 25 * 60_000;

function failures(output) {
  const from = output.search(/^.*Failed (Tests|Suites)/m);
  return (from < 0 ? output : output.slice(from)).trimEnd().split("\n").slice(0, 150).join("\n");
}
const tail = (text) => text.trimEnd().split("\n").slice(-60).join("\n");
