import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { statusSchema, type Status } from "../contract/status.ts";
import { defaultPolicy } from "../contract/policy.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { Address } from "../contract/prefix.ts";
import { type Change, type Kernel, type RouteAnswer, KernelError } from "../kernel/kernel.ts";
import type { WireAllowed, WireCounts, WireRules } from "../kernel/native.ts";
import type { WireWatch } from "../kernel/wire.ts";
import { openStore } from "../nodes/store.ts";
import type { Removal } from "../plan/removal.ts";
import type { Facts, RuleFact } from "../plan/facts.ts";
import type { Plan } from "../plan/plan.ts";
import { type FakeEngine, startFakeEngine } from "./fake-engine.ts";
import type { RunDeps, Told, Tunnel } from "./run.ts";
import { rollbackFile } from "./rollback.ts";
import { createTunnel } from "./run.ts";
import { wantedFile } from "./wanted.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const secret = `${"b".repeat(42)}A=`;
const a = `${"c".repeat(42)}A=`;
const b = `${"d".repeat(42)}A=`;
const confOf = (key: string, host: string) =>
  `[Interface]\nPrivateKey = ${secret}\nAddress = 10.7.0.2/32\nDNS = 10.7.0.1\n[Peer]\nPublicKey = ${key}\nEndpoint = ${host}:51820\nAllowedIPs = 0.0.0.0/0\n`;

test("connecting closes the gate, hears the node, opens, and down undoes it", async () => {
  const world = await makeWorld();
  const answer = await world.tunnel.connect(a);
  expect(answer).toMatchObject({ ok: true, value: { state: { kind: "connected", node: { id: a, name: "A" } } } });
  expect(world.kernel.states()).toEqual(["connecting", "connected"]);
  expect(world.engine().sets[0]).toContain("endpoint=192.0.2.1:51820");
  expect(world.wanted()).toMatchObject({ node: a, address: "192.0.2.1" });
  expect(await world.tunnel.disconnect()).toMatchObject({ ok: true, value: { state: { kind: "off" } } });
  expect(world.kernel.undos).toBe(2);
  expect(() => world.wanted()).toThrow(/ENOENT/);
});

test("the wire is watched from before the gate closes until before it opens for everything", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  await world.tunnel.disconnect();
  const change = ["expect 0 on 0", "settle"];
  expect(world.wire.said.filter((said) => said !== "links")).toEqual([...change, ...change, "close"]);
});

test("every status is one the contract knows, counts up, and shows the five steps in order", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  const statuses = world.told.flatMap((t) => (t.event === "status" ? [t.data] : []));
  for (const status of statuses) expect(statusSchema.parse(status)).toEqual(status);
  expect(statuses.map((s) => s.seq)).toEqual([...statuses.map((s) => s.seq)].sort((x, y) => x - y));
  const done = statuses.flatMap((s) =>
    s.state.kind === "connecting" ? [s.state.steps.filter((x) => x.state === "done").length] : [],
  );
  expect(done.at(-1)).toBe(5);
  expect([...done].sort()).toEqual(done);
});

test("no status, refusal or log line holds a private key", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.engine().die("SIGSEGV");
  await world.until((s) => s.state.kind === "locked");
  expect(JSON.stringify([world.told, world.logged])).not.toContain(secret);
});

test("a node that does not answer is undone, and the refusal names it", async () => {
  const world = await makeWorld({ answers: false });
  expect(await world.tunnel.connect(a)).toMatchObject({
    ok: false,
    refusal: { code: "node.unreachable", data: { node: a } },
  });
  expect(world.tunnel.status().state).toMatchObject({ kind: "failed", refusal: { code: "node.unreachable" } });
  expect(world.kernel.undos).toBe(2);
});

test("a node that missed the greeting is greeted again before the deadline", async () => {
  const world = await makeWorld({ answers: false, answerMs: 3000 });
  const connecting = world.tunnel.connect(a);
  await world.until((s) => s.state.kind === "connecting" && s.state.steps[1]?.state === "running");
  await eventually(() => (world.engines[0]?.sets.length ?? 0) >= 2);
  world.given.answers = true;
  expect(await connecting).toMatchObject({ ok: true });
});

test.each([
  ["an unknown node", {}, `${"e".repeat(42)}A=`, "node.unknown"],
  ["no rights", { rights: false }, a, "machine.no-rights"],
  ["no engine", { engineMissing: true }, a, "machine.engine-missing"],
  ["no tun device", { features: { tun: false } }, a, "machine.no-tun"],
  ["no nft", { features: { nft: false } }, a, "machine.no-nft"],
  ["another VPN", { other: true }, a, "machine.other-vpn"],
  ["a name nobody knows", {}, b, "node.name-not-found"],
  ["a plan that leaks", { leaks: true }, a, "plan.leaks"],
  ["no uplink", { noUplink: true }, a, "machine.no-uplink"],
] as const)("%s is refused and nothing is applied", async (_what, given, node, code) => {
  const world = await makeWorld(given);
  expect(await world.tunnel.connect(node)).toMatchObject({ ok: false, refusal: { code } });
  expect(world.kernel.states()).toEqual([]);
  expect(world.tunnel.status().state.kind).toMatch(/off|failed/);
});

test("a kernel that refuses is named with what was being done, and everything is undone", async () => {
  const world = await makeWorld();
  world.kernel.failOn = "connected";
  const answer = await world.tunnel.connect(a);
  expect(answer).toMatchObject({
    refusal: { code: "plan.not-applied", data: { doing: "adding", on: "route default", errno: "EEXIST" } },
  });
  expect(world.kernel.undos).toBe(2);
  expect(world.tunnel.status().state.kind).toBe("failed");
});

test("an engine that dies is replaced behind the lock, and the gate is never undone", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  const undos = world.kernel.undos;
  world.engine().die("SIGSEGV");
  await world.until((s) => s.state.kind === "locked" && s.state.cause === "engine-died");
  await world.until((s) => s.state.kind === "connected");
  expect(world.engines).toHaveLength(2);
  expect(world.kernel.states()).toEqual(["connecting", "connected", "locked", "connecting", "connected"]);
  expect(world.kernel.undos).toBe(undos);
});

test("disconnecting does not wait for a node that does not answer", async () => {
  const world = await makeWorld({ answers: false, answerMs: 60_000 });
  const connecting = world.tunnel.connect(a);
  await world.until((s) => s.state.kind === "connecting" && s.state.steps[1]?.state === "running");
  expect(await world.tunnel.disconnect()).toMatchObject({ ok: true });
  expect(await connecting).toMatchObject({ ok: false, refusal: { code: "call.not-now" } });
  expect(world.tunnel.status().state.kind).toBe("off");
});

test("what another program breaks is mended, and shown with what it did", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.kernel.foreign({ at: 1, kind: "rule", what: "ip rule del pref 4900", author: null, ours: true });
  await world.until((s) => s.drift.length === 1);
  expect(world.tunnel.status()).toMatchObject({
    state: { kind: "connected" },
    drift: [{ what: "ip rule del pref 4900", mended: true }],
  });
});

test("a fight over the rules ends locked with its cause", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.kernel.fighting = true;
  world.kernel.foreign({ at: 1, kind: "rule", what: "ip rule del pref 4900", author: null, ours: true });
  await world.until((s) => s.state.kind === "locked" && s.state.cause === "fight");
});

test("a foreign rule that breaks the proof is offered with its author, and taken away on the user's word", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  await world.until((s) => s.proof !== null);
  world.kernel.rules = [foreignRule];
  const what = "ip rule add pref 100 lookup 254 protocol static";
  world.kernel.foreign({ at: 7, kind: "rule", what, author: "ip, started by vpn.sh", ours: false });
  await world.until((s) => s.drift.length === 1 && s.proof === null);
  const [drift] = world.tunnel.status().drift;
  expect(drift).toMatchObject({ at: 7, what, author: "ip, started by vpn.sh", mended: false });
  expect(world.tunnel.status().state.kind).toBe("connected");
  expect(await world.tunnel.findings.repair("another")).toBeUndefined();
  expect(await world.tunnel.findings.repair(drift?.finding ?? "")).toEqual(["rule.del"]);
  expect(world.tunnel.status()).toMatchObject({
    proof: { ...summary, at: expect.any(Number) as unknown },
    drift: [{ what, mended: true }],
  });
});

test("a foreign rule that breaks nothing is nobody's business", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  await world.until((s) => s.proof !== null);
  const seq = world.tunnel.status().seq;
  world.kernel.foreign({ at: 7, kind: "rule", what: "ip rule add pref 40000", author: null, ours: false });
  await world.tunnel.findings.list();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(world.tunnel.status()).toMatchObject({ proof: { held: 11 }, drift: [] });
  expect(world.tunnel.status().seq).toBeGreaterThanOrEqual(seq);
});

test("a policy that nobody confirms goes back, one that is confirmed stays", async () => {
  const world = await makeWorld();
  await world.tunnel.setPolicy({ ...defaultPolicy, ipv6: "block" }, 0.2);
  expect(world.tunnel.status().confirm?.until).toBeGreaterThan(Date.now());
  expect(world.deps.store.policy().ipv6).toBe("block");
  await world.until((s) => s.confirm === undefined);
  expect(world.deps.store.policy()).toEqual(defaultPolicy);
  await world.tunnel.setPolicy({ ...defaultPolicy, ipv6: "block" }, 60);
  expect(await world.tunnel.confirm()).toMatchObject({ ok: true });
  expect(world.tunnel.status().confirm).toBeUndefined();
  expect(world.deps.store.policy().ipv6).toBe("block");
  expect(await world.tunnel.confirm()).toMatchObject({ ok: false, refusal: { code: "call.not-now" } });
});

test("a helper that dies before a policy is confirmed puts the one of before back when it starts again", async () => {
  const world = await makeWorld();
  await world.tunnel.setPolicy({ ...defaultPolicy, ipv6: "block" }, 60);
  const again = await makeWorld({ dir: world.dir });
  expect(again.deps.store.policy()).toEqual(defaultPolicy);
});

test("an adapter that vanished is noticed in the facts and made again", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.kernel.foreign({ at: 1, kind: "link", what: "ip link del culvert0", author: null, ours: true }, true);
  await world.until((s) => s.state.kind === "locked" && s.state.cause === "adapter-gone");
  await world.until((s) => s.state.kind === "connected");
});

test("a helper that starts after a crash locks first and connects the earlier node without asking for names", async () => {
  const world = await makeWorld({ names: { "node-b.example": "192.0.2.9" } });
  await world.tunnel.connect(b);
  const again = await makeWorld({ dir: world.dir });
  expect(again.kernel.undos).toBe(0);
  await again.until((s) => s.state.kind === "connected");
  expect(again.kernel.states()[0]).toBe("locked");
  expect(again.engine().sets[0]).toContain("endpoint=192.0.2.9:51820");
  expect(again.resolved).toEqual([]);
});

test("with the kill switch from boot on, a start after a reboot locks for the last node before anything else", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.deps.store.setPolicy({ ...defaultPolicy, killSwitch: "boot" });
  await world.tunnel.disconnect();
  const again = await makeWorld({ dir: world.dir });
  expect(again.kernel.undos).toBe(0);
  await again.until((s) => s.state.kind === "connected");
  expect(again.kernel.states()[0]).toBe("locked");
});

test("a policy that cannot be compiled is refused and not kept", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.given.noUplink = true;
  const answer = await world.tunnel.setPolicy({ ...defaultPolicy, ipv6: "block" });
  expect(answer).toMatchObject({ ok: false, refusal: { code: "machine.no-uplink" } });
  expect(world.deps.store.policy()).toEqual(defaultPolicy);
});

test("a policy saved while connected is applied at once", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  expect(await world.tunnel.setPolicy({ ...defaultPolicy, ipv6: "block" })).toMatchObject({ ok: true });
  expect(world.kernel.states()).toEqual(["connecting", "connected", "connected"]);
});

test("traffic is told each second while connected", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.engine().count(5000, 700);
  const traffic = await world.next((t) => t.event === "traffic");
  expect(traffic).toMatchObject({ event: "traffic", data: { refused: 3, direct: 1, wire: null } });
});

interface Given {
  answers?: boolean;
  answerMs?: number;
  rights?: boolean;
  engineMissing?: boolean;
  features?: Partial<Facts["features"]>;
  other?: boolean;
  leaks?: boolean;
  noUplink?: boolean;
  names?: Record<string, string>;
  dir?: string;
}

async function makeWorld(options: Given = {}) {
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
      given.noUplink ? refuse("machine.no-uplink") : grant(planOf(state, policy.ipv6)),
    uplinks: () => [],
    prove: ({ facts }) => (given.leaks || facts.rules.length > 0 ? refuse("plan.leaks") : grant(summary)),
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

async function eventually(done: () => boolean): Promise<void> {
  const deadline = Date.now() + 4000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error("waited 4 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

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

const summary = { at: 5, tookMs: 1, properties: 11, held: 11, classes: 1, states: 1 };
const foreignRule: RuleFact = {
  ...{ family: 4, priority: 100, protocol: 4, not: false, from: null, to: null, iif: null, oif: null, mark: null },
  ...{ uids: null, ipProtocol: null, sport: null, dport: null, tos: 0, suppressPrefixLength: null },
  action: { kind: "lookup", table: 254 },
};

class TestKernel implements Kernel {
  applied: Plan[] = [];
  undos = 0;
  failOn: string | null = null;
  fighting = false;
  touched = false;
  gone = false;
  changed: (change: Change) => void = () => undefined;
  readonly given: Given;
  constructor(given: Given) {
    this.given = given;
  }
  states(): string[] {
    return this.applied.map((p) => p.state);
  }
  foreign(change: Change, gone = false): void {
    this.touched = true;
    this.gone = gone;
    this.changed(change);
  }
  answer: RouteAnswer = { kind: "refused", code: "ENETUNREACH" };
  async ask(): Promise<RouteAnswer> {
    return this.answer;
  }
  removed: Removal[] = [];
  async evidence() {
    return { programs: [], silent: [], records: [], remarks: "" };
  }
  async remove(things: readonly Removal[]) {
    this.removed.push(...things);
    this.rules = this.rules.filter((rule) => !things.some((t) => t.kind === "rule.del" && t.rule === rule));
    return things.map((thing) => thing.kind);
  }
  rules: RuleFact[] = [];
  async gate() {
    return { tables: [], packets: new Map(), foreign: [] };
  }
  async read(): Promise<Facts> {
    const link = { index: 9, name: "culvert0", kind: "tun", type: 65534, up: true, carrier: true, loopback: false };
    const links = this.gone ? [] : [{ ...link, mtu: 1420, mac: "", master: 0, xdp: false, clsact: false }];
    const others = this.given.other === true ? [{ name: "Tailscale", evidence: "tailscale0", excludes: true }] : [];
    const all = {
      ipv6: true,
      tun: true,
      nft: true,
      owner: true,
      devicePrefix: true,
      nexthops: true,
      appMarks: "none" as const,
    };
    return {
      ...{
        links,
        addresses: [],
        routes: [],
        rules: this.rules,
        nexthops: [],
        nftTables: [],
        sysctls: {},
        others,
        hostName: "h",
      },
      features: { ...all, ...this.given.features },
      resolver: {
        ...{ resolvedRunning: false, resolvconf: "none" },
        resolvConf: { path: "/etc/resolv.conf", target: null, servers: [], immutable: false },
      },
    };
  }
  async apply(plan: Plan) {
    if (plan.state === this.failOn) throw new KernelError("adding", "route default", "EEXIST");
    this.gone = false;
    const same = JSON.stringify(plan) === JSON.stringify(this.applied.at(-1));
    const commands = !same || this.touched || this.fighting ? ["ip rule add pref 4900"] : [];
    this.touched = false;
    this.applied.push(plan);
    if (this.fighting)
      queueMicrotask(() => {
        this.changed({ at: 2, kind: "rule", what: "again", author: null, ours: true });
      });
    return { commands, tookMs: 1, phases: { changeMs: 1, readBackMs: 1, gateMs: 1 } };
  }
  async undo() {
    this.undos += 1;
    return ["ip rule del pref 4900"];
  }
  watch(changed: (change: Change) => void) {
    this.changed = changed;
    return () => undefined;
  }
  openTun = () => Promise.reject(new Error("not here"));
  openUapi = () => Promise.reject(new Error("not here"));
  openUdp = () => Promise.reject(new Error("not here"));
  async apps() {
    return { how: "none" as const, scripts: false, lost: 0, apps: [] };
  }
  async reopen() {
    return 0;
  }
  async counters() {
    return { refused: 3, direct: 1 };
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
