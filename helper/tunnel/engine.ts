// Starts an engine process, hands it descriptors, speaks UAPI with it. The engine gets everything it may touch as an open
// descriptor: 3 the TUN adapter, 4 the UAPI socket it answers on, 5 and 6 its UDP sockets, born with the engine's mark. It is
// told which user to become; it gives its rights away itself, before it reads a byte, and dies with the helper.
//
// wireguard-go stands in where ours is not built. It gives nothing away by itself, so setpriv does, before its first
// instruction. It opens its UDP socket itself, so it must set the mark itself (`fwmark=`), for which it keeps CAP_NET_ADMIN and
// nothing else; it also sets the adapter's MTU to 1420 while starting, which `apply` puts right. Tried with 0.0.20220316.
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { type Descriptor, type Kernel, KernelError } from "../kernel/kernel.ts";
import type { Configuration } from "../nodes/conf.ts";
import { linkName, marks } from "../plan/numbers.ts";
import { exchange, parsePeer, parseRoundTrip, type Peering, type PeerState, printKeepalive, printSet } from "./uapi.ts";

export interface EngineKind {
  readonly path: string;
  readonly standIn: boolean;
}

export interface EngineUser {
  readonly uid: number;
  readonly gid: number;
}

export interface Engine {
  readonly pid: number;
  readonly kind: EngineKind;
  /** Makes the peer anew: the engine greets the node at once. */
  peer(peering: Omit<Peering, "fwmark">): Promise<void>;
  /** Resolves with the first handshake since `peer`, or false when the deadline passes or `signal` is raised. */
  answered(configuration: Configuration, deadlineMs: number, signal: AbortSignal): Promise<boolean>;
  /** deadlineMs: how long an answer is waited for, 2 s unless told. */
  state(publicKey: string, deadlineMs?: number): Promise<PeerState | undefined>;
  /** Of the last handshake, where the engine tells it. */
  roundTripMs(publicKey: string): Promise<number | null>;
  /** Resolves with how it ended; never rejects. */
  readonly ended: Promise<string>;
  /** at once: it hangs, and would not hear that it is asked to end. */
  stop(how?: "at once"): Promise<void>;
}

export interface EngineSetup {
  readonly kind: EngineKind;
  readonly user: EngineUser | null;
  readonly kernel: Pick<Kernel, "openTun" | "openUdp" | "openUapi">;
  readonly uapiPath: string;
  readonly listenPort: number;
  /** A silent or heard node, where the engine says it by itself. */
  readonly said: (event: "silent" | "heard") => void;
  readonly log: (line: string) => void;
}

export const defaultUapiPath = `/run/wireguard/${linkName}.sock`;

/** Asked for by name or path, ours beside the helper, wireguard-go on PATH: the first that is there. */
export function findEngine(asked: string | undefined, ours: readonly string[]): Answer<EngineKind> {
  const path = asked !== undefined ? onPath(asked) : (ours.find(isExecutable) ?? onPath("wireguard-go"));
  if (path === undefined) return refuse("machine.engine-missing", { what: asked ?? "wireguard-go" });
  return grant({ path, standIn: /(^|\/)wireguard-go$/.test(path) });
}

export async function startEngine(setup: EngineSetup): Promise<Engine> {
  const { kind } = setup;
  const handed: Descriptor[] = [];
  let child: ChildProcess;
  try {
    const tun = await hand(handed, setup.kernel.openTun(linkName, !kind.standIn, kind.standIn));
    const uapi = await hand(handed, setup.kernel.openUapi(setup.uapiPath, setup.user?.uid ?? 0));
    const udp4 = kind.standIn ? null : await hand(handed, setup.kernel.openUdp(4, setup.listenPort));
    const udp6 = kind.standIn ? null : await hand(handed, setup.kernel.openUdp(6, setup.listenPort));
    const { command, args } = commandOf(kind, setup.user);
    child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe", tun.fd, uapi.fd, udp4?.fd ?? "ignore", udp6?.fd ?? "ignore"],
      env: environmentOf(kind, setup.user),
      cwd: "/",
    });
  } finally {
    // the engine has its own copies; ours would keep the adapter's carrier up after its death (12.6)
    for (const descriptor of handed) descriptor.close();
  }
  return live(setup, child);
}

async function live(setup: EngineSetup, child: ChildProcess): Promise<Engine> {
  const { kind, uapiPath } = setup;
  let handshakes = 0;
  let wake: () => void = () => undefined;
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => {
      resolve(error.message);
    });
    child.once("exit", (code, signal) => {
      resolve(signal ?? `exit ${code ?? "unknown"}`);
    });
  });
  void ended.then(() => {
    wake();
  });
  listen(child, setup, () => {
    handshakes += 1;
    wake();
  });
  if (child.pid === undefined) throw new KernelError("starting", kind.path, await ended);
  const engine: Engine = {
    pid: child.pid,
    kind,
    ended,
    async peer(peering) {
      handshakes = 0;
      await exchange(uapiPath, printSet({ ...peering, fwmark: kind.standIn ? marks.engine : null }));
    },
    async answered(configuration, deadlineMs, signal) {
      const deadline = performance.now() + deadlineMs;
      const over = Promise.race([ended, aborted(signal)]).then(() => true);
      while (performance.now() < deadline && !(await Promise.race([over, sleep(0)]))) {
        const before = handshakes;
        const peer = await engine.state(configuration.publicKey);
        if (peer?.lastHandshake != null) {
          await exchange(uapiPath, printKeepalive(configuration));
          return true;
        }
        if (handshakes > before) continue;
        // ours says it on its output; the stand-in has to be asked, and 5 ms are little beside a round trip
        await Promise.race([sleep(kind.standIn ? 5 : 250), new Promise<void>((resolve) => (wake = resolve)), over]);
      }
      return false;
    },
    async state(publicKey, deadlineMs) {
      return parsePeer(await exchange(uapiPath, "get=1\n\n", deadlineMs), publicKey);
    },
    async roundTripMs(publicKey) {
      return kind.standIn ? null : parseRoundTrip(await exchange(uapiPath, "get=culvert\n\n"), publicKey);
    },
    async stop(how) {
      child.kill(how === "at once" ? "SIGKILL" : "SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 500);
      await ended;
      clearTimeout(timer);
    },
  };
  return engine;
}

function commandOf(kind: EngineKind, user: EngineUser | null): { command: string; args: string[] } {
  if (!kind.standIn) return { command: kind.path, args: [linkName] };
  const caps = "-all,+net_admin";
  const who = user === null ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups"];
  // the bounding set needs CAP_SETPCAP to change, and binds nobody who cannot gain rights anyway
  const rights = [`--inh-caps=${caps}`, `--ambient-caps=${caps}`, "--no-new-privs"];
  return { command: "setpriv", args: [...who, ...rights, "--pdeathsig=KILL", kind.path, linkName] };
}

function environmentOf(kind: EngineKind, user: EngineUser | null): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    WG_TUN_FD: "3",
    WG_UAPI_FD: "4",
    WG_PROCESS_FOREGROUND: "1",
    LOG_LEVEL: "error",
    ...(kind.standIn ? {} : { CULVERT_UDP_FDS: "5,6" }),
    ...(user === null ? {} : { CULVERT_ENGINE_UID: String(user.uid), CULVERT_ENGINE_GID: String(user.gid) }),
  };
}

/** Ours prints events as JSON lines; everything else that is printed is for the log. */
function listen(child: ChildProcess, setup: EngineSetup, handshake: () => void): void {
  const each = (line: string): void => {
    const event = /^\{"event":"(ready|handshake|silent|heard)"/.exec(line)?.[1];
    if (event === "handshake") handshake();
    else if (event === "silent" || event === "heard") setup.said(event);
    else if (event === undefined) setup.log(line.slice(0, 500));
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface({ input: stream }).on("line", each);
  }
}

async function hand<D extends Descriptor>(handed: Descriptor[], opening: Promise<D>): Promise<D> {
  const descriptor = await opening;
  handed.push(descriptor);
  return descriptor;
}

/** Resident memory of a process in bytes, for status and benchmarks; null once it is gone. */
export function residentBytes(pid: number): number | null {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

function onPath(name: string): string | undefined {
  if (name.includes("/")) return isExecutable(name) ? name : undefined;
  // sbin is where Debian puts it, and a daemon's PATH may lack it
  const dirs = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/bin", "/usr/bin", "/usr/sbin"];
  return dirs.map((dir) => join(dir, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function sleep(ms: number): Promise<false> {
  return new Promise((resolve) => setTimeout(resolve, ms, false));
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener(
      "abort",
      () => {
        resolve();
      },
      { once: true },
    );
  });
}
