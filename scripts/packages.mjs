// The Node packages, Node 24 among them. First of all steps and the only one that runs on the machine's own Node.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { must, Problem, root } from "./steps.mjs";

export const node24 = join(root, "node_modules", `node-linux-${process.arch}`, "bin", "node");

/** `npm ci` when node_modules is missing or is not what the lock says; package scripts are off (.npmrc). */
export async function nodePackages() {
  if (process.platform !== "linux" || !["x64", "arm64"].includes(process.arch))
    throw new Problem(`Culvert runs on Linux, x64 or arm64; this is ${process.platform} ${process.arch}.`);
  const missing = differs();
  if (missing === undefined) return "as in package-lock.json";
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined || !existsSync(npm) ? ["npm", []] : [process.execPath, [npm]];
  await must(command, [...first, "ci", "--no-progress"], { log: "npm-ci" });
  const still = differs();
  if (still !== undefined) throw new Problem(`npm ci ran, and still ${still}.`);
  return `npm ci, because ${missing}`;
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
    // packages for other systems are rightly not installed
    if (got === undefined && entry.optional !== true) return `${path} is missing`;
    if (got !== undefined && got.version !== entry.version) return `${path} is ${got.version}, not ${entry.version}`;
  }
  return undefined;
}
