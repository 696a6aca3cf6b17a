// Programs on a lab machine that rules can name: copies of perl (every Debian has it, its copies find their library), which
// run whatever a test gives them; what they run stays in their class. All of them are in a cgroup of the lab's own, to
// which alone the marking of sockets is attached, so nobody else on this machine is touched.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";

import type { Lab } from "./lab.ts";
import { type Machine, machineOf } from "./machine.ts";

/** Below the root of cgroup version 2, with a name that no other has. */
export function makeCgroup(): string {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  const root = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  if (root === undefined) throw new Error("there is no cgroup version 2 here");
  return mkdtempSync(join(root, "culvert-lab-"));
}

/** Once the lab is closed: with a process in it, it cannot go. */
export function removeCgroup(path: string): void {
  const below = execFileSync("find", [path, "-mindepth", "1", "-depth", "-type", "d"], { encoding: "utf8" });
  for (const folder of [...below.split("\n").filter(Boolean), path]) rmdirSync(folder);
}

export function makeProgram(lab: Lab, name: string): string {
  const path = join(lab.folder, name);
  copyFileSync("/usr/bin/perl", path);
  return path;
}

/** The machine as this program, in this cgroup or one below it: whatever is run, it runs. */
export function asProgram(machine: Machine, program: string, cgroup: string, below = ""): Machine {
  const place = join(cgroup, below);
  mkdirSync(place, { recursive: true });
  const enter = ["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', place];
  return machineOf(machine.name, machine.pid, [...enter, program, "-e", "exec { $ARGV[0] } @ARGV or die $!", "--"]);
}
