// The Rust build: the addon for the helper, the engine, the lab's link. Cargo itself knows what is fresh, so it is always
// asked; a build with nothing to do takes a fraction of a second.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";

import { isRoot, must, Problem, root, which } from "./steps.mjs";
import { bring, candidate } from "./system.mjs";

const native = join(root, "native");

/** A toolchain at least as new as Cargo.toml asks for; on Debian as root it is installed when missing. */
export async function rustToolchain() {
  const wanted = /rust-version = "([\d.]+)"/.exec(readFileSync(join(native, "Cargo.toml"), "utf8"))?.[1] ?? "1.95";
  const found = version();
  if (found !== undefined && newer(found, wanted)) return `cargo ${found}`;
  // Debian keeps a current toolchain beside its old one, for the browsers it builds: rustc-web
  const debian = isRoot ? candidate("rustc-web") : undefined;
  if (found !== undefined || debian === undefined || !newer(debian, wanted))
    throw new Problem(
      `Rust ${wanted} or newer is needed${found === undefined ? "" : `, here is ${found}`}; this brings it:\n` +
        `  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --default-toolchain ${wanted} -c clippy -c rustfmt`,
    );
  await bring([
    { what: "a Rust toolchain", packages: ["cargo-web"] },
    { what: "rustfmt", packages: ["rustfmt-web"] },
    { what: "clippy", packages: ["rust-web-clippy"] },
  ]);
  return `installed cargo ${version()}`;
}

export async function rustBuild() {
  const cargo = which("cargo");
  // --locked: what is built is what Cargo.lock says
  await must(cargo, ["build", "--release", "--locked"], { cwd: native, env: onPath(cargo), log: "cargo-build" });
  return placeAddon();
}

/** The toolchain's folder on the path, for cargo to find rustc where only ~/.cargo/bin has them. */
export function onPath(cargo) {
  return { PATH: `${dirname(cargo)}:${process.env.PATH}` };
}

/** Node loads an addon only under the name .node; put there by rename, so that a running helper keeps its own copy. */
function placeAddon() {
  const built = join(native, "target", "release", "libculvert_addon.so");
  if (!existsSync(built)) return undefined;
  const place = join(native, "addon", "culvert.node");
  const beside = `${place}.${process.pid}`;
  copyFileSync(built, beside);
  renameSync(beside, place);
  return "native/addon/culvert.node";
}

function version() {
  const cargo = which("cargo");
  if (cargo === undefined) return undefined;
  try {
    return /cargo ([\d.]+)/.exec(execFileSync(cargo, ["--version"], { cwd: native, encoding: "utf8" }))?.[1];
  } catch {
    return undefined;
  }
}

function newer(found, wanted) {
  const [a, b] = [found, wanted].map((text) => text.split(/[.+]/).map(Number));
  return a[0] > b[0] || (a[0] === b[0] && a[1] >= b[1]);
}
