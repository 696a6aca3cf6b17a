// Everything around a tunnel for its tests: two nodes, a store on disk, an engine that answers or does not, a kernel and a wire
// that note what they are told. What was opened is closed after each test.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { Status } from "../contract/status.ts";
import type { WireAllowed, WireCounts, WireRules } from "../kernel/native.ts";
import type { WireWatch } from "../kernel/wire.ts";
import { openStore } from "../nodes/store.ts";
import type { Plan, PlanNexthop } from "../plan/plan.ts";
import { type FakeEngine, startFakeEngine } from "./fake-engine.ts";
import { type KernelGiven, TestKernel } from "./fake-kernel.ts";
import { noNames } from "./names.ts";
import { rollbackFile } from "./rollback.ts";
import { createTunnel, type RunDeps, type Tunnel } from "./run.ts";
import type { Told } from "./telling.ts";
import { wantedFile } from "./wanted.ts";

export const secret = `${"b".repeat(42)}A=`;
export const a = `${"c".repeat(42)}A=`;
export const b = `${"d".repeat(42)}A=`;
const confOf = (key: string, host: string) =>
  `[Interface]\nPrivateKey = ${secret}\nAddress = 10.7.0.2/32\nDNS = 10.7.0.1\n[Peer]\nPublicKey = ${key}\nEndpoint = ${host}:51820\nAllowedIPs = 0.0.0.0/0\n`;

export interface Given extends KernelGiven {
  answers?: boolean;
  answerMs?: number;
  rights?: boolean;
  engineMissing?: boolean;
  leaks?: boolean;
  noUplink?: boolean;
  names?: Record<string, string>;
  dir?: string;
  /** What plans lead by, and what the machine of now would have. */
  standing?: readonly PlanNexthop[];
  nexthops?: readonly PlanNexthop[];
  alone?: boolean;
}

/** Of a proof that holds. */
export const summary = { at: 5, tookMs: 1, properties: 11, held: 11, classes: 1, states: 1 };
export async function makeWorld(options: Given = {}) {
  const given: Given = { ...options };
  const dir = given.dir ?? mkdtempSync(join(tmpdir(), "culvert-run-"));
  if (given.dir === undefined)
    cleanups.push(() => {
      rmSync(dir, { recursive: true });
    });
  const store = openStore(dir);
  if (given.dir === undefined) {
    store.add(confOf(a, "192.0.2.1"), "A");
    store.add(confOf(b, "node-b.example"), "B");
  }
  const kernel = new TestKernel(given);
  const wire = new FakeWire();
  const engines: FakeEngine[] = [];
  const logged: unknown[] = [];
  const resolved: string[] = [];
  const told: Told[] = [];
  const kind = { path: "/fake", standIn: false };
  const deps: RunDeps = {
    ...{ kernel, wire, store, version: "0", now: Date.now, random: () => 0, answerMs: given.answerMs ?? 150 },
    wanted: wantedFile(join(dir, "wanted.json")),
    last: wantedFile(join(dir, "last.json")),
    rollback: rollbackFile(join(dir, "rollback.json")),
    async resolve(host) {
      resolved.push(host);
      return (given.names?.[host] ?? "").split(",").filter((x) => x !== "") as Address[];
    },
    findEngine: () => (given.engineMissing ? refuse("machine.engine-missing") : grant(kind)),
    async startEngine() {
      const node = {
        get answers() {
          return given.answers ?? true;
        },
      };
      const engine = await startFakeEngine(join(dir, `engine${engines.length}.sock`), kind, node);
      engines.push(engine);
      return engine;
    },
    compile: ({ state, policy }): Answer<Plan> =>
      given.noUplink
        ? refuse("machine.no-uplink")
        : grant({ ...planOf(state, policy.ipv6), nexthops: given.standing ?? [] }),
    nexthops: () => given.nexthops ?? [],
    uplinks: () => (given.noUplink ? [] : [{ name: "eth0", addresses: [], gateways: [], lan: [] }]),
    prove: ({ facts }) =>
      given.leaks || facts.rules.length > 0 ? refuse("plan.leaks") : { ...grant(summary), alone: given.alone ?? true },
    proveRest: () => (given.leaks ? refuse("plan.leaks") : grant(null)),
    names: noNames,
    lists: { of: () => ({}), missing: () => undefined },
    hasRights: () => given.rights ?? true,
    connected: () => undefined,
    log: (what, data) => logged.push({ what, data }),
  };
  const tunnel = createTunnel(deps);
  tunnel.subscribe((t) => told.push(t));
  await tunnel.begin();
  cleanups.push(() => tunnel.end());
  return {
    ...{ tunnel, kernel, wire, deps, dir, told, logged, engines, resolved, given },
    engine: () => engines.at(-1) as FakeEngine,
    wanted: () => JSON.parse(readFileSync(join(dir, "wanted.json"), "utf8")) as unknown,
    until: (done: (status: Status) => boolean) => until(tunnel, told, done),
    next: (wanted: (t: Told) => boolean) => nextTold(tunnel, wanted),
  };
}

export async function eventually(done: () => boolean): Promise<void> {
  const deadline = Date.now() + 4000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error("waited 4 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function planOf(state: Plan["state"], variant: string): Plan {
  const sysctls = [{ key: variant, value: "1" }];
  return {
    state,
    order: "gate-first",
    link: null,
    nexthops: [],
    routes: [],
    rules: [],
    nft: [],
    sysctls,
    dns: null,
    apps: null,
  };
}

/** Notes what it was told; sees nothing. */
class FakeWire implements WireWatch {
  readonly said: string[] = [];
  sees: WireCounts | null = null;
  expect(links: WireRules["links"], allowed: WireAllowed): void {
    this.said.push(`expect ${allowed.endpoints.length} on ${links.length}`);
  }
  settle(): void {
    this.said.push("settle");
  }
  links(): void {
    this.said.push("links");
  }
  counts(): WireCounts | null {
    return this.sees;
  }
  lookFor(): void {
    this.said.push("look for");
  }
  close(): void {
    this.said.push("close");
  }
}

/** Resolves once a status of now or later (or one already told) is as wanted. */
function until(tunnel: Tunnel, told: readonly Told[], done: (status: Status) => boolean): Promise<void> {
  const from = told.findLastIndex((t) => t.event === "status" && done(t.data));
  if (from >= 0 && done(tunnel.status())) return Promise.resolve();
  return nextTold(tunnel, (t) => t.event === "status" && done(t.data)).then(() => undefined);
}

function nextTold(tunnel: Tunnel, wanted: (t: Told) => boolean): Promise<Told> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`waited 4 s in state ${JSON.stringify(tunnel.status().state)}`));
    }, 4000);
    const stop = tunnel.subscribe((t) => {
      if (!wanted(t)) return;
      clearTimeout(timer);
      stop();
      resolve(t);
    });
  });
}
