// The helper: start-up as a flat list, and the only wiring. Order: options, log, store, kernel, tunnel (which adopts what an
// earlier life left before anybody can call), then the door. What ends it leaves the machine as closed as it is: only a call
// (`disconnect`, `reset`) opens the gate.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import pino, { type Logger } from "pino";

import type { HelperEvent } from "./contract/message.ts";
import { socketPath } from "./contract/message.ts";
import { grant, refuse } from "./contract/refusal.ts";
import { canariesOf } from "./kernel/canaries.ts";
import { openLinux } from "./kernel/linux.ts";
import { loadNative } from "./kernel/native.ts";
import { readSessions } from "./kernel/sessions.ts";
import { watchWire } from "./kernel/wire.ts";
import { keepLittle } from "./memory.ts";
import { openLists } from "./nodes/lists.ts";
import { watchPings } from "./nodes/probe.ts";
import { openStore } from "./nodes/store.ts";
import { compile, compileNexthops } from "./policy/compile.ts";
import { uplinksOf } from "./policy/uplinks.ts";
import { refusalData, tellCounterexample } from "./proof/explain.ts";
import { prove, proveRest } from "./proof/prove.ts";
import type { Hub } from "./server/dispatch.ts";
import { handlersOf } from "./server/handlers.ts";
import { listen } from "./server/listen.ts";
import { defaultUapiPath, type EngineUser, findEngine, startEngine } from "./tunnel/engine.ts";
import type { Proved, ProveInput, RestInput } from "./tunnel/live.ts";
import { rememberProofs } from "./tunnel/proven.ts";
import { systemResolve } from "./tunnel/resolve.ts";
import { rollbackFile } from "./tunnel/rollback.ts";
import { createTunnel, type RunDeps } from "./tunnel/run.ts";
import { askWhoAmI } from "./tunnel/seen.ts";
import { asking } from "./names/ask.ts";
import { openNames } from "./tunnel/names.ts";
import { followNode } from "./tunnel/told.ts";
import { wantedFile } from "./tunnel/wanted.ts";

export const version = "0.1.0";

export async function runDaemon(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const options = readOptions(argv, env);
  const log = pino({ level: options.log, base: null }, pino.destination({ dest: 2, sync: true }));
  const note = (what: string, data: Readonly<Record<string, unknown>>): void => {
    log.info(data, what);
  };
  const native = loadNative(options.addon);
  const memory = keepLittle(native);
  const { stateDir, runDir, owner, cgroup } = options;
  const kernel = await openLinux({ native, stateDir, runDir, owner, ...(cgroup !== undefined && { cgroup }) });
  let listeners: readonly ((event: HelperEvent) => void)[] = [];
  const tell = (event: HelperEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const store = openStore(options.stateDir, () => {
    tell({ event: "nodes", data: [...store.nodes()] });
  });
  const lists = openLists(options.stateDir, Date.now);
  const user = engineUser(env);
  const wire = watchWire(native, (error) => {
    note("the wire is not watched", { error: String(error) });
  });
  const names = openNames({
    ...{ policy: () => store.policy(), runDir, now: Date.now, log: note, ask: asking(native) },
    stands: () => ({ exit: tunnel.live().applied?.exit ?? null, facts: tunnel.live().facts }),
    lay: (name, addresses) => tunnel.lay(name, addresses),
    shrank: () => {
      tunnel.namesEnded();
    },
  });
  const deps: RunDeps = {
    ...{ wire, names, lists },
    ...{ kernel, store, version, now: Date.now, random: Math.random, compile, answerMs: 5000, log: note },
    wanted: wantedFile(join(options.runDir, "wanted.json")),
    last: wantedFile(join(options.stateDir, "last.json")),
    rollback: rollbackFile(join(options.stateDir, "rollback.json")),
    resolve: systemResolve,
    findEngine: () => findEngine(options.engine, enginesHere()),
    startEngine: (kind, listenPort, said) =>
      startEngine({
        ...{ kind, user, kernel, listenPort, said, uapiPath: defaultUapiPath },
        log: (line) => {
          note("engine", { line });
        },
      }),
    nexthops: (input) => compileNexthops({ ...input, state: "connected" }),
    uplinks: (facts) => uplinksOf(facts, store.policy()),
    ...{ prove: rememberProofs(proveNow), proveRest: proveRestNow },
    hasRights,
    connected: (tunnel) => {
      const { applied } = tunnel.live();
      if (applied === null) return;
      const { exit, node } = applied;
      followNode({
        ask: () => askWhoAmI(exit),
        stands: () => tunnel.live().applied?.exit === exit,
        seen: (as) => tunnel.seen(as),
        load: (load) => store.load(node, load),
        ended: () => {
          // the next connection to it may have been told already
          if (tunnel.live().applied?.node !== node) store.load(node, null);
        },
      });
    },
  };
  const tunnel = createTunnel(deps);
  tunnel.subscribe((told) => {
    if (told.event === "status") memory.poke();
    tell(told);
  });
  await tunnel.begin();
  lists.sweep([store.policy()]);
  const hub: Hub = {
    version,
    handlers: handlersOf(tunnel, store, {
      ...{ ...deps, lists },
      canaries: canariesOf(native, wire),
      sessions: () => readSessions(),
    }),
    subscribe(listener) {
      listeners = [...listeners, listener];
      return () => {
        listeners = listeners.filter((l) => l !== listener);
      };
    },
  };
  const stopPings = watchPings({
    ...{ store, resolve: systemResolve, now: Date.now },
    ping: (addresses, timeoutMs) => native.ping([...addresses], 0, timeoutMs),
    wanted: () => listeners.length > 0 && tunnel.inUse() === null,
    changed: () => {
      tell({ event: "nodes", data: [...store.nodes()] });
    },
  });
  const gid = groupId(options.group);
  if (gid === null) note("no such group: root alone may call", { group: options.group });
  const door = await listen({ path: options.socket, gid, credentials: native.peerCredentials, log: note }, hub);
  note("listening", { socket: options.socket });
  endOn(log, async () => {
    await door.close();
    stopPings();
    memory.close();
    await tunnel.end();
    await names.close();
  });
}

interface Options {
  readonly socket: string;
  readonly stateDir: string;
  readonly runDir: string;
  readonly group: string;
  readonly engine: string | undefined;
  readonly addon: string | undefined;
  readonly cgroup: string | undefined;
  readonly log: string;
  /** Whether tables may have an owner: without, as on older kernels. */
  readonly owner: boolean;
}

function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      socket: { type: "string", default: env["CULVERT_SOCKET"] ?? socketPath },
      "state-dir": { type: "string", default: "/var/lib/culvert" },
      "run-dir": { type: "string", default: "/run/culvert" },
      group: { type: "string", default: "culvert" },
      engine: { type: "string" },
      addon: { type: "string" },
      cgroup: { type: "string" },
      log: { type: "string", default: "info" },
      "no-owner": { type: "boolean", default: false },
    },
  });
  return {
    ...{ socket: values.socket, stateDir: values["state-dir"], runDir: values["run-dir"], group: values.group },
    ...{ engine: values.engine ?? env["CULVERT_ENGINE"], addon: values.addon, cgroup: values.cgroup, log: values.log },
    owner: !values["no-owner"],
  };
}

/** Beside the bundle as installed and as built, beside the source. */
function enginesHere(): string[] {
  const here = fileURLToPath(new URL(".", import.meta.url));
  const built = ["native", "target", "release", "culvert-engine"];
  return [join(here, "culvert-engine"), join(here, "..", ...built), join(here, "..", "..", ...built)];
}

/** The engine becomes this user; its own one where the package made it, else nobody. */
function engineUser(env: NodeJS.ProcessEnv): EngineUser | null {
  const [uid, gid] = [env["CULVERT_ENGINE_UID"], env["CULVERT_ENGINE_GID"]].map(Number);
  if (uid !== undefined && gid !== undefined && Number.isInteger(uid) && Number.isInteger(gid)) return { uid, gid };
  // inside a user namespace that maps one user there is nobody else to become
  if (!mapsOthers()) return null;
  const lines = readLines("/etc/passwd").map((line) => line.split(":"));
  const found = lines.find(([name]) => name === "culvert-engine") ?? lines.find(([name]) => name === "nobody");
  return found === undefined ? { uid: 65_534, gid: 65_534 } : { uid: Number(found[2]), gid: Number(found[3]) };
}

function mapsOthers(): boolean {
  return readLines("/proc/self/uid_map").some((line) => Number(line.trim().split(/\s+/)[2] ?? 0) > 65_534);
}

function groupId(name: string): number | null {
  if (/^\d+$/.test(name)) return Number(name);
  const found = readLines("/etc/group").find((line) => line.startsWith(`${name}:`));
  const gid = Number(found?.split(":")[2] ?? NaN);
  return Number.isInteger(gid) ? gid : null;
}

/** CAP_NET_ADMIN is capability 12 (linux/capability.h). */
function hasRights(): boolean {
  const effective = readLines("/proc/self/status").find((line) => line.startsWith("CapEff:"));
  return effective !== undefined && ((BigInt(`0x${effective.slice(7).trim()}`) >> 12n) & 1n) === 1n;
}

function proveNow(input: ProveInput): Proved {
  const began = performance.now();
  const proof = prove(input);
  const tookMs = performance.now() - began;
  if (proof.kind === "proof") {
    const { properties, held, classes, states } = proof;
    const alone = proof.alone.includes("connected");
    return { ...grant({ at: Date.now(), tookMs, properties, held, classes, states }), alone };
  }
  const found = tellCounterexample(proof);
  return { ...refuse("plan.leaks", refusalData(found)), found };
}

function proveRestNow({ plan, ...input }: RestInput): Proved {
  const found = proveRest(input, plan);
  if (found.kind === "held") return grant(null);
  const told = tellCounterexample(found);
  return { ...refuse("plan.leaks", refusalData(told)), found: told };
}

function readLines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
}

function endOn(log: Logger, end: () => Promise<void>): void {
  let ending = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, "ending; the machine stays as closed as it is");
    void end().finally(() => process.exit(0));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  // what nobody expected ends this life; the gate stays, and the next life adopts it
  process.on("uncaughtException", (error) => {
    log.fatal({ error: error.stack }, "unexpected");
    process.exit(70);
  });
}

// run from source; in the bundle it is culvert.ts that starts, with the verb `daemon`
if (import.meta.main && import.meta.filename.endsWith("main.ts")) await runDaemon(process.argv.slice(2), process.env);
