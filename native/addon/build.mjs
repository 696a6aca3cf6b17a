// Builds the addon and puts it where helper/kernel/native.ts looks for it. index.d.ts is kept by hand beside lib.rs.
// Written beside and renamed into place: a process that has the old file mapped keeps it.
import { execFileSync } from "node:child_process";
import { copyFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const workspace = join(here, "..");
const target = process.env.CARGO_TARGET_DIR ?? join(workspace, "target");
execFileSync("cargo", ["build", "--release", "-p", "culvert-addon"], { cwd: workspace, stdio: "inherit" });
const beside = join(here, `culvert.${process.pid}.node`);
copyFileSync(join(target, "release", "libculvert_addon.so"), beside);
renameSync(beside, join(here, "culvert.node"));
