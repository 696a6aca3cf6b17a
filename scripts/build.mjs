// The bundles. main and preload are built for the oldest Electron that runs them (22: Node 16, Chromium 108), helper and
// command line for Node 24; the window is Vite's, and is left alone when nothing it is made of has changed.
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { build as bundle } from "esbuild";

import { node24 } from "./packages.mjs";
import { cache, must, root } from "./steps.mjs";

export const bundles = [
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
    // a daemon holds the text of what it runs for as long as it lives; names stay, for who reads a stack
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
  },
];

// bundled CommonJS packages ask for require, which an ES module does not have
const requireForEsm =
  'import { createRequire as culvertRequire } from "node:module"; const require = culvertRequire(import.meta.url);';

/** zod carries its messages in fifty languages, a quarter of a bundle; ours are codes, and nobody reads them. */
const englishZod = {
  name: "english-zod",
  setup: (build) =>
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    })),
};

/**
 * An import of a built-in module reads each of its exports, also those that bring half of Node: node:http has a WebSocket,
 * which brings undici, HTTP/2, TLS and zlib. Tried with Node 24.19 on the modules that the helper uses: 60 MiB resident when
 * they are imported, 48 MiB when they are required.
 */
const requiredBuiltins = {
  name: "required-builtins",
  setup: (build) => {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === "require-call" ? { path, external: true } : { path, namespace: "builtin" },
    );
    build.onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

export async function buildBundles() {
  const built = await Promise.all(bundles.map(bundleOf));
  const changed = built.flatMap((one) => one.outputFiles).filter((file) => put(file.path, file.contents));
  return changed.length === 0 ? "unchanged" : bundles.map((b) => b.out).join(", ");
}

/** As it would be written. */
export function bundleOf({ in: entry, out, ...own }) {
  return bundle({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: out,
    bundle: true,
    write: false,
    platform: "node",
    banner: own.format === "esm" ? { js: requireForEsm } : {},
    sourcemap: "linked",
    logLevel: "warning",
    plugins: own.format === "esm" ? [englishZod, requiredBuiltins] : [englishZod],
    ...own,
  });
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
