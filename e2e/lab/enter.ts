// node e2e/lab/enter.ts COMMAND [ARGUMENT …]: runs a command in namespaces of its own (network, mounts, processes), in
// which a lab may be opened. Nothing has a name: when the first process in there is gone, everything is.
//
//   this process ─ setpriv (dies with its parent) → unshare --kill-child ─ sh (reaps) ─ the command
//
// So SIGKILL for any of them takes all of them. Without root the same in a user namespace; what needs real root there
// (BPF programs that mark sockets) is said by whoever needs it.
import { spawn } from "node:child_process";
import { readlinkSync } from "node:fs";

const marker = "CULVERT_LAB_OUTSIDE";
/** A tmpfs inside: what a lab writes is gone with it. */
export const labRoot = "/mnt";

/** Whether this process is inside: its network namespace is another than the one enter.ts was started in. */
export function inside(): boolean {
  const outside = process.env[marker];
  return outside !== undefined && outside !== readlinkSync("/proc/self/ns/net");
}

/** Refuses to touch a network that is not the lab's. */
export function requireInside(): void {
  if (!inside()) throw new Error("a lab opens only in namespaces of its own: node e2e/lab/enter.ts COMMAND");
}

export function enterCommand(command: readonly string[]): readonly string[] {
  const asRoot = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return [
    ...["setpriv", "--pdeathsig", "KILL", "--"],
    ...["unshare", ...asRoot, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
    ...["sh", "-c", `mount -t tmpfs -o mode=1777 lab ${labRoot} && "$@"; exit $?`, "lab"],
    ...command,
  ];
}

/** Runs the command inside and gives its exit code. */
export async function enter(command: readonly string[]): Promise<number> {
  const [first, ...rest] = enterCommand(command) as [string, ...string[]];
  const env = { ...process.env, [marker]: readlinkSync("/proc/self/ns/net") };
  const child = spawn(first, rest, { stdio: "inherit", env });
  // unshare --kill-child blocks SIGTERM for itself: nothing short of SIGKILL ends it. A Ctrl-C reaches everybody in
  // the terminal's group, and is for the command to answer.
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill("SIGKILL"));
  process.on("SIGINT", () => undefined);
  return new Promise((done, failed) => {
    child.once("error", failed);
    child.once("exit", (code) => done(code ?? 130));
  });
}

if (import.meta.main) {
  const command = process.argv.slice(2);
  if (command.length === 0) {
    console.error("usage: node e2e/lab/enter.ts COMMAND [ARGUMENT …]");
    process.exit(2);
  }
  process.exit(await enter(command));
}
