// Needs root and a network namespace of its own; without them it fails.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { makeUplink, removeUplink, sh, until } from "./apart.ts";
import { makeCgroup, makeProgram, marksOf, removeCgroup } from "./app-ground.ts";
import { type CaseMachine, kernelCases, resolvConfOfCases } from "./kernel.cases.ts";
import { openLinux } from "./linux.ts";
import { loadNative } from "./native.ts";

const native = loadNative();

kernelCases("the kernel of this machine", makeLinux);

function makeLinux(): CaseMachine {
  makeUplink();
  const folder = mkdtempSync(join(tmpdir(), "culvert-kernel-"));
  const resolvConf = join(folder, "resolv.conf");
  writeFileSync(resolvConf, resolvConfOfCases);
  const cgroup = makeCgroup();
  const program = makeProgram(folder, "program");
  return {
    program,
    markOf: (path) => marksOf(cgroup, path, "udp4")[0] ?? -1,
    open: () => openLinux({ native, stateDir: join(folder, "state"), runDir: folder, resolvConf, cgroup }),
    snapshot: () =>
      [
        sh("ip -o link | sed 's/.*: \\([a-z0-9]*\\)[@:].*/\\1/'"),
        sh("ip -o addr | sed 's/^[0-9]*: //; s/valid_lft.*//'"),
        sh("ip -4 route show table all; ip -6 route show table all"),
        sh("ip rule; ip -6 rule; ip nexthop"),
        sh("sysctl net.ipv4.conf.up0.arp_announce net.ipv4.conf.all.accept_redirects"),
        // one table by its name: an nft before the device prefix spins on listing all of them (linux.ts)
        sh("nft list table inet culvert 2>/dev/null || true"),
        readFileSync(resolvConf, "utf8"),
        sh(`ls ${folder}/bpf 2>/dev/null || true`),
      ].join("\n"),
    addRule: (priority) => sh(`ip rule add pref ${priority} lookup main`),
    deleteRoute: (table) => sh(`ip route del default table ${table} metric 10`),
    setSysctl: (key, value) => sh(`sysctl -qw ${key}=${value}`),
    setNames: (text) => {
      writeFileSync(resolvConf, text);
    },
    names: () => readFileSync(resolvConf, "utf8"),
    settled: (seen) => until(seen),
    remove: () => {
      removeUplink();
      removeCgroup(cgroup);
      rmSync(folder, { recursive: true });
    },
  };
}
