// What the machine itself must have: each need says how it is recognised and which Debian package brings it. As root on
// Debian and its kin the missing ones are installed; elsewhere each is named with the command that brings it.
import { execFileSync } from "node:child_process";

import { isRoot, must, Problem, which } from "./steps.mjs";

const command = (name, pkg) => ({ what: name, has: () => which(name) !== undefined, packages: [pkg] });
const library = (soname, ...packages) => ({ what: soname, has: () => libraries().includes(soname), packages });
const font = (lang, pkg) => ({ what: `a font for "${lang}"`, has: () => fonts(lang), packages: [pkg] });

/** By what needs it. Several package names: the first that this release of Debian has. */
const needs = {
  build: [command("cc", "gcc"), { what: "C headers", has: hasHeaders, packages: ["libc6-dev"] }],
  lab: [
    command("ip", "iproute2"),
    command("nft", "nftables"),
    command("wg", "wireguard-tools"),
    command("wireguard-go", "wireguard-go"),
    command("unshare", "util-linux"),
    command("curl", "curl"),
    command("ping", "iputils-ping"),
  ],
  // of systemd-resolved, which is only unpacked: what a machine without systemd may lack
  resolved: [
    library("libacl.so.1", "libacl1"),
    library("libapparmor.so.1", "libapparmor1"),
    library("libip4tc.so.2", "libip4tc2"),
    library("libkmod.so.2", "libkmod2"),
    library("libseccomp.so.2", "libseccomp2"),
  ],
  bench: [command("iperf3", "iperf3")],
  window: [
    command("Xvfb", "xvfb"),
    command("xvfb-run", "xvfb"),
    command("xauth", "xauth"),
    command("dbus-run-session", "dbus-daemon"),
    command("fc-list", "fontconfig"),
    library("libgtk-3.so.0", "libgtk-3-0t64", "libgtk-3-0"),
    library("libnss3.so", "libnss3"),
    library("libasound.so.2", "libasound2t64", "libasound2"),
    library("libgbm.so.1", "libgbm1"),
    library("libnotify.so.4", "libnotify4"),
    library("libXss.so.1", "libxss1"),
    library("libXtst.so.6", "libxtst6"),
    font("en", "fonts-dejavu-core"),
    // Chinese is one of the three languages, and its screens are looked at
    font("zh", "fonts-noto-cjk"),
  ],
};

export async function systemTools(groups) {
  const missing = groups.flatMap((group) => needs[group]).filter((need) => !need.has());
  if (missing.length === 0) return "all there";
  await bring(missing);
  const still = missing.filter((need) => !need.has());
  if (still.length > 0) throw new Problem(`Installed, and still missing: ${still.map((n) => n.what).join(", ")}.`);
  return `installed ${missing.map((n) => n.what).join(", ")}`;
}

/** Installs what `missing` lists, or throws a Problem that names each with its command. */
export async function bring(missing) {
  const apt = which("apt-get");
  if (apt === undefined) {
    const lines = missing.map((n) => `  ${n.what}  (Debian calls the package ${n.packages.at(-1)})`);
    throw new Problem(`Missing here; please install:\n${lines.join("\n")}`);
  }
  if (!isRoot) {
    const lines = missing.map(
      (n) => `  ${n.what}:  sudo apt-get install -y --no-install-recommends ${pick(n.packages)}`,
    );
    throw new Problem(`Missing here; each comes with its command:\n${lines.join("\n")}`);
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  // another apt may be at work on the same machine: wait for its lock instead of failing
  const patient = ["-o", "DPkg::Lock::Timeout=180", "-o", "Acquire::Retries=3"];
  await must(apt, [...patient, "update"], { log: "apt-update", env, timeoutMs: 300_000 });
  const packages = [...new Set(missing.map((n) => pick(n.packages)))];
  const install = [...patient, "install", "-y", "--no-install-recommends", ...packages];
  await must(apt, install, { log: "apt-install", env, timeoutMs: 900_000 });
  known = undefined;
}

function pick(packages) {
  return packages.find((name) => hasCandidate(name)) ?? packages.at(-1);
}

/** Whether apt could install it; also used to choose among Rust toolchains. */
export function candidate(name) {
  const text = ask("apt-cache", ["policy", name]);
  const found = /Candidate: (\S+)/.exec(text)?.[1];
  return found === undefined || found === "(none)" ? undefined : found;
}
const hasCandidate = (name) => candidate(name) !== undefined;

let known;
function libraries() {
  known ??= ask(which("ldconfig") ?? "ldconfig", ["-p"]);
  return known;
}

function fonts(lang) {
  return which("fc-list") !== undefined && ask("fc-list", [`:lang=${lang}`, "file"]).trim() !== "";
}

function hasHeaders() {
  return ask("sh", ["-c", "echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1 && echo yes"]).trim() === "yes";
}

function ask(program, args) {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}
