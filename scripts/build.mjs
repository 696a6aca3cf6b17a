// The bundles. main and preload are built for the oldest Electron that runs them (22: Node 16, Chromium 108), helper and
// command line for Node 24; the window is Vite's, and is left alone when nothing it is made of has changed.
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { build as bundle } from "esbuild";

import { node24 } from "./packages.mjs";
import { cache, must, root } from "./steps.mjs";

const bundles = [
  { in: "main/main.ts", out: "dist/main/main.cjs", format: "cjs", target: "node16", external: ["electron"] },
  {
    in: "preload/preload.ts",
    out: "dist/preload/preload.cjs",
    format: "cjs",
    target: "chrome108",
    external: ["electron"],
  },
  {
    in: "helper/cli/culvert.ts",
    out: "dist/helper/culvert.mjs",
    format: "esm",
    target: "node24",
    external: ["*.node"],
  },
];

// bundled CommonJS packages ask for require, which an ES module does not have
const requireForEsm =
  'import { createRequire as culvertRequire } from "node:module"; const require = culvertRequire(import.meta.url);';

export async function buildBundles() {
  const built = await Promise.all(
    bundles.map((b) =>
      bundle({
        absWorkingDir: root,
        entryPoints: [b.in],
        outfile: b.out,
        bundle: true,
        write: false,
        platform: "node",
        format: b.format,
        target: b.target,
        external: b.external,
        banner: b.format === "esm" ? { js: requireForEsm } : {},
        sourcemap: "linked",
        logLevel: "warning",
      }),
    ),
  );
  const changed = built.flatMap((one) => one.outputFiles).filter((file) => put(file.path, file.contents));
  return changed.length === 0 ? "unchanged" : bundles.map((b) => b.out).join(", ");
}

export async function buildWindow() {
  const place = join(root, "dist", "app");
  const mark = join(cache, "window-inputs");
  const now = fingerprint(["app/**/*", "preload/bridge.ts", "helper/contract/*.ts", "package-lock.json"]);
  if (existsSync(join(place, "index.html")) && existsSync(mark) && readFileSync(mark, "utf8") === now)
    return "unchanged";
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  const beside = `${place}.${process.pid}`;
  await must(node24, [vite, "build", "app", "--outDir", beside, "--emptyOutDir"], { log: "vite-build" });
  rmSync(place, { recursive: true, force: true });
  renameSync(beside, place);
  mkdirSync(cache, { recursive: true });
  writeFileSync(mark, now);
  return "dist/app";
}

/** Whole or not at all, and only when it differs: a program that starts at this moment must not read half a bundle. */
function put(path, contents) {
  if (existsSync(path) && Buffer.compare(readFileSync(path), contents) === 0) return false;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
  return true;
}

function fingerprint(patterns) {
  const hash = createHash("sha256");
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root, withFileTypes: true }));
  const paths = files.filter((f) => f.isFile() && !/\.test\.tsx?$/.test(f.name)).map((f) => join(f.parentPath, f.name));
  for (const path of paths.sort()) hash.update(`${path}\0`).update(readFileSync(path)).update("\0");
  return hash.digest("hex");
}
