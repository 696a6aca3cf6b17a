// Culvert in a lab machine: the real daemon as root there, and the real `culvert` command as the person. Restarting is the
// service manager's work on a real machine; here the caller does it, so that a test can look in between.
import type { ChildProcess } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Node } from "../../helper/contract/node.ts";
import type { Policy } from "../../helper/contract/policy.ts";
import type { State, Status } from "../../helper/contract/status.ts";
import type { Lab } from "./lab.ts";
import type { Machine, Result } from "./machine.ts";
import { until } from "./process.ts";
import { person } from "./window.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface Culvert {
  /** pid of the daemon. */
  readonly pid: number;
  /** What node is given to be the `culvert` command. */
  readonly command: readonly string[];
  /** The `culvert` command, as root of the machine. */
  cli(...words: readonly string[]): Promise<Result>;
  /** The same with --json, parsed; throws when the command fails. */
  json<T>(...words: readonly string[]): Promise<T>;
  status(): Promise<Status>;
  nodes(): Promise<readonly Node[]>;
  setPolicy(policy: Policy): Promise<void>;
  /** Waits until the state is one of these; gives the status. */
  waitFor(kinds: readonly State["kind"][], timeoutMs?: number): Promise<Status>;
  /** Pids of the daemon's children: the engine. */
  engines(): Promise<readonly number[]>;
  /** SIGKILL for the daemon alone; gives when. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Everything the daemon logged, in this lab's folder. */
  readonly log: string;
}

export interface CulvertOptions {
  /** Path of an engine; without it the daemon chooses. */
  readonly engine?: string;
  /** false: the gate has no owner, as on kernels before 6.9. */
  readonly owner?: boolean;
  /** Below it programs are told apart; without it, below the root of this machine's. */
  readonly cgroup?: string;
}

/** Starts the daemon in the machine and waits until it answers. */
export async function startCulvert(lab: Lab, machine: Machine, options: CulvertOptions = {}): Promise<Culvert> {
  const log = join(lab.folder, `${machine.name}.log`);
  await machine.exec(
    `grep -q '^culvert:' /etc/group || echo 'culvert:x:${person.group}:person' >> /etc/group
     grep -q '^person:' /etc/passwd || echo 'person:x:${person.uid}:${person.gid}::/run/culvert-lab/home:/bin/sh' >> /etc/passwd`,
  );
  let daemon: ChildProcess | undefined;
  const cli = (...words: readonly string[]): Promise<Result> =>
    machine.exec([process.execPath, entry(), ...words], { mayFail: true, timeoutMs: 60_000 });
  const json = async <T>(...words: readonly string[]): Promise<T> => {
    const result = await cli(...words, "--json");
    if (result.code !== 0) throw new Error(`culvert ${words.join(" ")}: ${result.stdout}${result.stderr}`);
    return JSON.parse(result.stdout) as T;
  };
  const status = (): Promise<Status> => json<Status>("status");
  const start = async (): Promise<void> => {
    const engine = options.engine === undefined ? [] : ["--engine", options.engine];
    const owner = options.owner === false ? ["--no-owner"] : [];
    const cgroup = options.cgroup === undefined ? [] : ["--cgroup", options.cgroup];
    daemon = machine.node(entry(), ["daemon", "--group", "culvert", ...engine, ...owner, ...cgroup]);
    const keep = (chunk: Buffer): void => {
      appendFileSync(log, chunk);
    };
    daemon.stdout?.on("data", keep);
    daemon.stderr?.on("data", keep);
    await until(
      "the daemon's answer",
      async () => ((await cli("status", "--json")).code === 0 ? true : undefined),
      15_000,
    );
  };
  const gone = (child: ChildProcess): Promise<void> =>
    child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve()
      : new Promise((done) => child.once("exit", () => done()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (daemon === undefined) return;
    daemon.kill(signal);
    await gone(daemon);
  };
  await start();
  return {
    get pid() {
      return daemon?.pid ?? 0;
    },
    log,
    command: [entry()],
    cli,
    json,
    status,
    nodes: () => json("nodes"),
    setPolicy: async (policy) => {
      const file = join(lab.folder, "policy.json");
      await machine.exec(["tee", file], { input: JSON.stringify(policy) });
      await json("policy", "set", file);
    },
    waitFor: (kinds, timeoutMs = 15_000) =>
      until(
        `state ${kinds.join(" or ")}`,
        async () => {
          const now = await status();
          return kinds.includes(now.state.kind) ? now : undefined;
        },
        timeoutMs,
      ),
    engines: async () => {
      const found = await machine.exec(["pgrep", "-P", String(daemon?.pid ?? 0)], { mayFail: true });
      return found.stdout.split("\n").filter(Boolean).map(Number);
    },
    kill: () => end("SIGKILL"),
    start,
    stop: () => end("SIGTERM"),
  };
}

/** In what npm scripts run, the bundle, as it is shipped and freshly built; by hand the source, as it stands now. */
function entry(): string {
  const bundle = join(root, "dist", "helper", "culvert.mjs");
  if (process.env["CULVERT_BUILT"] === "1" && existsSync(bundle)) return bundle;
  return join(root, "helper", "cli", "culvert.ts");
}
