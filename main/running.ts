// What runs, as far as this user may see it: executables of own processes (proc_pid_exe(5) tells nobody else's), and the
// cgroups there are, whose last names say which Flatpak, snap or unit lives in them.
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

export interface Running {
  /** Real paths. */
  readonly executables: ReadonlySet<string>;
  /** Last names: `sshd.service`, `app-flatpak-org.example.App-42.scope`. */
  readonly cgroups: ReadonlySet<string>;
}

export async function runningIn(proc: string, cgroup: string): Promise<Running> {
  const numbers = (await readdir(proc).catch(() => [])).filter((name) => /^\d+$/.test(name));
  const links = await Promise.all(numbers.map((pid) => readlink(join(proc, pid, "exe")).catch(() => null)));
  // of a file that was replaced since, the path is what counts
  const paths = links.flatMap((path) => (path === null ? [] : [path.replace(/ \(deleted\)$/, "")]));
  return { executables: new Set(paths.filter((path) => path.startsWith("/"))), cgroups: await cgroupsBelow(cgroup) };
}

/** Deep enough for user.slice/user-1000.slice/user@1000.service/app.slice/NAME. */
const deepest = 6;

async function cgroupsBelow(folder: string, depth = 0): Promise<ReadonlySet<string>> {
  if (depth === deepest) return new Set();
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const below = await Promise.all(folders.map((name) => cgroupsBelow(join(folder, name), depth + 1)));
  return new Set([...folders, ...below.flatMap((names) => [...names])]);
}
