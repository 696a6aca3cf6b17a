// The checks that need no test runner. Each is one line and counts as one test: types, lint, format (TypeScript, Rust),
// clippy, the subjects of the commits, what README.md claims.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { add, failure, nothing } from "./counts.mjs";
import { node24 } from "./packages.mjs";
import { onPath } from "./rust.mjs";
import { root, run, say, seconds, which } from "./steps.mjs";

const bin = (path) => join(root, "node_modules", path);

/** One of these at a time on a machine: they share tsc's and eslint's caches. */
export async function check() {
  const cargo = which("cargo") ?? "cargo";
  const rust = { cwd: join(root, "native"), env: onPath(cargo) };
  const checks = [
    ["types", () => tool("tsc", [bin("typescript/bin/tsc"), "-b"])],
    ["lint", () => tool("eslint", [bin("eslint/bin/eslint.js"), ".", "--max-warnings=0", ...eslintCache])],
    ["format", () => tool("prettier", [bin("prettier/bin/prettier.cjs"), ".", "--check", ...prettierCache])],
    ["rustfmt", () => run(cargo, ["fmt", "--all", "--check"], { ...rust, log: "check-rustfmt" })],
    ["clippy", () => run(cargo, [...clippy], { ...rust, log: "check-clippy" })],
    ["commits", () => list("commits", badSubjects())],
    ["README", () => list("README", falseClaims())],
  ];
  let sum = nothing;
  for (const [name, work] of checks) {
    const began = Date.now();
    const done = await work();
    const ok = done.code === 0;
    say(`${seconds(Date.now() - began)}  check ${name}: ${ok ? "passed" : "FAILED"}`);
    if (!ok) say(tail(done.output));
    sum = add(sum, ok ? { passed: 1, failed: 0, skipped: 0 } : failure);
  }
  return sum;
}

const eslintCache = ["--cache", "--cache-location", "node_modules/.cache/eslint/", "--cache-strategy", "content"];
const prettierCache = ["--cache", "--cache-strategy", "content", "--log-level", "warn"];
const clippy = ["clippy", "--release", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];

const tool = (name, args) => run(node24, args, { log: `check-${name}` });
const list = (name, wrong) => ({ code: wrong.length === 0 ? 0 : 1, output: wrong.join("\n") });

// the first day was committed before this check ran over it and stays as it is; author dates outlive a rebase, hashes do not
const subjectsSince = "2026-11-21T12:00:00Z";

/** `folder: imperative, lower case`, at most 64 characters. Names and numbers like README, IPv6 and P1 keep their form. */
export function badSubject(subject) {
  if (subject.length > 64) return "longer than 64 characters";
  return /^[a-z0-9./_-]+(, [a-z0-9./_-]+)*: (?![A-Z][a-z])\S.*[^.]$/.test(subject)
    ? undefined
    : "not `folder: imperative`";
}

function badSubjects() {
  const log = git(["log", "--no-merges", "--format=%aI %s", "-200"]);
  if (log === undefined) return ["git log cannot be read"];
  const commits = log
    .trimEnd()
    .split("\n")
    .map((line) => [line.slice(0, 25), line.slice(26)]);
  return commits
    .filter(([date, subject]) => Date.parse(date) > Date.parse(subjectsSince) && badSubject(subject) !== undefined)
    .map(([, subject]) => `${subject}  (${badSubject(subject)})`);
}

/** Every command, path and picture that README.md names must be there. */
function falseClaims() {
  const file = join(root, "README.md");
  if (!existsSync(file)) return ["there is no README.md"];
  const text = readFileSync(file, "utf8");
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const commands = [...text.matchAll(/npm (?:run )?([a-z]+)/g)].map((m) => m[1]).filter((n) => n !== "ci");
  const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map((m) => m[1]);
  const paths = [...text.matchAll(/`([\w.-]+\/[\w./-]*)`/g)].map((m) => m[1]);
  return [
    ...commands.filter((name) => scripts[name] === undefined).map((name) => `npm run ${name} is not there`),
    ...[...links, ...paths].filter((path) => !existsSync(join(root, path))).map((path) => `${path} is not there`),
  ];
}

function git(args) {
  try {
    return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}

const tail = (text) => text.trimEnd().split("\n").slice(-40).join("\n");
