// The real systemd-resolved, resolvconf and openresolv, for the tests of who tells the machine of its resolver. Only
// downloaded and unpacked into a cache outside the tree: to install one would rewrite this machine's own resolv.conf.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { isRoot, must, run, which } from "./steps.mjs";
import { systemTools } from "./system.mjs";

/** Debian's names. The daemon's library goes with it, because both must be of one version. */
const packages = ["systemd-resolved", "libsystemd-shared", "resolvconf", "openresolv"];

const home = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "culvert", "resolvers");

/** The folder with one unpacked folder a package, or undefined. */
export function findResolvers() {
  return packages.every((name) => existsSync(join(home, name))) ? home : undefined;
}

export async function resolvers() {
  const apt = which("apt-get");
  // without root these tests are skipped, and nothing can be installed
  if (apt !== undefined && isRoot) await systemTools(["resolved"]);
  if (findResolvers() !== undefined) return "all there";
  if (apt === undefined) return "no apt-get here: tests with real resolvers are skipped";
  mkdirSync(dirname(home), { recursive: true });
  const beside = mkdtempSync(`${home}-`);
  try {
    const options = { cwd: beside, log: "resolvers", timeoutMs: 120_000 };
    const download = () => run(apt, ["-o", "Acquire::Retries=3", "download", ...packages], options);
    let done = await download();
    if (done.code !== 0) {
      // a machine that never asked for Debian's lists, or long ago, knows of none or of some that are gone
      await run(apt, ["update"], { log: "apt-update", timeoutMs: 300_000 });
      done = await download();
    }
    if (done.code !== 0) return "not to be had from this machine's packages: tests with real resolvers are skipped";
    for (const name of packages) {
      const file = readdirSync(beside).find((entry) => entry.startsWith(`${name}_`));
      await must("dpkg-deb", ["-x", join(beside, file), join(beside, name)], { log: "resolvers" });
      rmSync(join(beside, file));
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(beside, home);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
  return `downloaded ${packages.join(", ")}; nothing installed`;
}
