// The Node packages, Node 24 among them. First of all steps and the only one that runs on the machine's own Node.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { globalPaths } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { must, Problem, root } from "./steps.mjs";

export const node24 = join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");

/** `npm ci` when node_modules is missing or is not what the lock says; package scripts are off (.npmrc). */
export async function nodePackages() {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    throw new Problem(`Culvert runs on Linux, x64 or arm64; this is ${process.platform} ${process.arch}.`);
  const missing = differs();
  if (missing === undefined) return "as in package-lock.json";
  await npmCi(process.execPath);
  if (differs() !== undefined && isOld() && existsSync(node24)) await byNode24(npmCi);
  const still = differs();
  if (still !== undefined) throw new Problem(`npm ci ran, and still ${still}.`);
  return `npm ci, because ${missing}`;
}

async function npmCi(node) {
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined || !existsSync(npm) ? ["npm", []] : [node, [npm]];
  // Debian's npm finds its parts where Debian's Node looks for them
  const env = { NODE_PATH: globalPaths.join(":") };
  await must(command, [...first, "ci", "--no-progress"], { log: "npm-ci", env });
}

/** An npm leaves out optional packages that ask for a newer Node than its own: it does not know which will run them. */
const isOld = () => Number(process.versions.node.split(".")[0]) < 24;

/** Once more by the Node that has just come; from elsewhere, because `npm ci` begins by removing node_modules. */
async function byNode24(again) {
  const away = mkdtempSync(join(tmpdir(), "culvert-node-"));
  try {
    copyFileSync(node24, join(away, "node"));
    await again(join(away, "node"));
  } finally {
    rmSync(away, { recursive: true });
  }
}

/** What is not as the lock says, or undefined. npm keeps its own record of what it installed in node_modules. */
function differs() {
  if (!existsSync(node24)) return "there is no Node 24 in node_modules";
  const record = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(record)) return "node_modules is incomplete";
  const wanted = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const there = JSON.parse(readFileSync(record, "utf8")).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === "") continue;
    const got = there[path];
    if (got === undefined && !isForOthers(entry)) return `${path} is missing`;
    if (got !== undefined && got.version !== entry.version) return `${path} is ${got.version}, not ${entry.version}`;
  }
  return undefined;
}

/** Packages for other systems are rightly not installed, nor what came with them. */
function isForOthers({ optional, os, cpu, libc }) {
  if (optional !== true) return false;
  if (os?.includes(process.platform) !== true || cpu?.includes(process.arch) !== true) return true;
  return libc !== undefined && !libc.includes(libcHere());
}

function libcHere() {
  return process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc";
}
