// A machine of the lab: a process that sleeps in its own network, mount and host name namespaces. Whatever enters is
// `nsenter` into those three. When the lab's first process dies the kernel kills all of them, and with the last process
// the namespaces and all in them are gone: there is nothing to clean up, and nothing that could be left.
import { type ChildProcess, spawn as spawnProcess } from "node:child_process";
import { fileURLToPath } from "node:url";

import { firstLine } from "./process.ts";
import type { MachineSpec } from "./topology.ts";

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** SIGKILL after so long, 30 s unless told. */
  readonly timeoutMs?: number;
  /** Give the result of a command that failed instead of throwing. */
  readonly mayFail?: boolean;
}

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdio?: "pipe" | "inherit";
}

export interface Machine {
  readonly name: string;
  /** The sleeping process whose namespaces are the machine. */
  readonly pid: number;
  /** Runs a command to its end. A string is given to sh. */
  exec(command: string | readonly string[], options?: ExecOptions): Promise<Result>;
  /** Starts a command; its end is the caller's, at the latest the lab's. */
  spawn(command: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Starts a TypeScript or JavaScript file on the node of this process. */
  node(file: string, args?: readonly string[], options?: SpawnOptions): ChildProcess;
  /** The words to put before a command so that it runs here. */
  readonly prefix: readonly string[];
}

export async function startMachine(spec: MachineSpec): Promise<Machine> {
  const holder = spawnProcess("unshare", ["--net", "--mount", "--uts", "sh", "-c", holderScript(spec)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, CULVERT_MACHINE: spec.name },
  });
  await firstLine(holder, (line) => line === "ready", `machine ${spec.name}`);
  if (holder.pid === undefined) throw new Error(`machine ${spec.name} has no process`);
  return machineOf(spec.name, holder.pid);
}

/** `as`: what comes before every command there. */
export function machineOf(name: string, pid: number, as: readonly string[] = []): Machine {
  const prefix = ["nsenter", "-t", String(pid), "-n", "-m", "-u", "--", ...as];
  const spawn = (command: readonly string[], options: SpawnOptions = {}): ChildProcess => {
    // nsenter -m starts in the root folder; `env --chdir` also works for commands that are not shells
    const at = ["env", `--chdir=${options.cwd ?? process.cwd()}`];
    const [first, ...rest] = [...prefix, ...at, ...command] as [string, ...string[]];
    return spawnProcess(first, rest, {
      stdio: options.stdio ?? "pipe",
      env: { ...process.env, CULVERT_MACHINE: name, ...options.env },
    });
  };
  const exec = async (command: string | readonly string[], options: ExecOptions = {}): Promise<Result> => {
    const argv = typeof command === "string" ? ["sh", "-ec", command] : command;
    const result = await finish(spawn(argv, options), options);
    if (result.code !== 0 && options.mayFail !== true) {
      const what = typeof command === "string" ? command : command.join(" ");
      throw new Error(`${name}: ${what}\nended with ${result.code}: ${result.stderr}${result.stdout}`);
    }
    return result;
  };
  const node = (file: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess =>
    spawn([process.execPath, file, ...args], options);
  return { name, pid, exec, spawn, node, prefix };
}

/** A file of this folder by its name. */
export const labFile = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

async function finish(child: ChildProcess, options: ExecOptions): Promise<Result> {
  const out = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk: Buffer) => (out.stdout += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (out.stderr += chunk.toString()));
  // a command that ends without reading its input closes the pipe under us
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(options.input ?? "");
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeoutMs ?? 30_000);
  const code = await new Promise<number>((done, failed) => {
    child.once("error", failed);
    child.once("close", (code, signal) => {
      if (signal !== null) out.stderr += `killed by ${signal}\n`;
      done(code ?? 128);
    });
  });
  clearTimeout(timer);
  return { code, ...out };
}

/** /sys shows the devices of the namespace that mounted it; cgroups must stay visible below it. */
function holderScript(spec: MachineSpec): string {
  const resolvConf = spec.resolvers.map((r) => `nameserver ${r}`).join("\n");
  const hosts = `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${spec.name}`;
  const files = spec.ownFiles
    ? [
        "mkdir /run/.etc && cp -a /etc/. /run/.etc 2>/dev/null || true",
        "mkdir /run/.keep && mount -t tmpfs -o mode=755 etc /run/.keep && cp -a /run/.etc/. /run/.keep",
        "rm -rf /run/.etc && mount --move /run/.keep /etc && rmdir /run/.keep",
        "mount -t tmpfs -o mode=755 lib /var/lib",
        "rm -f /etc/resolv.conf",
      ]
    : [
        "touch /run/.resolv /run/.hosts",
        "mount --bind /run/.resolv /etc/resolv.conf",
        "mount --bind /run/.hosts /etc/hosts",
      ];
  return [
    "set -e",
    "mount -t tmpfs -o mode=755 run /run",
    "mkdir /run/.cgroup && mount --rbind /sys/fs/cgroup /run/.cgroup",
    "if mount -t sysfs sysfs /sys 2>/dev/null; then mount --rbind /run/.cgroup /sys/fs/cgroup; fi",
    "umount -l /run/.cgroup && rmdir /run/.cgroup",
    ...files,
    `printf '%s\\n' '${resolvConf}' > /etc/resolv.conf`,
    `printf '%s\\n' '${hosts}' > /etc/hosts`,
    `hostname ${spec.name}`,
    "ip link set lo up",
    // duplicate address detection takes a second for each address and finds nothing in a lab
    "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0",
    ...spec.before,
    "echo ready",
    "exec sleep infinity",
  ].join("\n");
}
