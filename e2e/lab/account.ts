// A lab machine as one of its ordinary accounts sees it: the same files may be read, nothing else of root's is left.
import type { Machine } from "./machine.ts";
import { machineOf } from "./machine.ts";

/** Programs of the lab may lie in a folder that is closed to others: reading is the one right that is kept. */
const words = (uid: number): readonly string[] => {
  const read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"];
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", ...read, "--"];
};

export function asUser(machine: Machine, uid: number): Machine {
  return machineOf(machine.name, machine.pid, words(uid));
}

/** In a user namespace that maps one account there is nobody else to be. */
export async function hasUser(machine: Machine, uid: number): Promise<boolean> {
  const map = await machine.exec(["cat", "/proc/self/uid_map"]);
  return Number(map.stdout.trim().split(/\s+/)[2]) > uid;
}
