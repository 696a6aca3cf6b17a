// Real engines through the real boundary, against a node that runs stock wireguard-go: on loopback of a namespace of our own
// (scripts/test.mjs). Both engines pass the same cases.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import nacl from "tweetnacl";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import type * as Addon from "../../native/addon/index.d.ts";
import type { Address } from "../contract/prefix.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { type Configuration, parseConf } from "../nodes/conf.ts";
import { linkName, marks } from "../plan/numbers.ts";
import { type Engine, findEngine, startEngine } from "./engine.ts";
import { exchange, printSet } from "./uapi.ts";

const addon = createRequire(import.meta.url)("../../native/addon/culvert.node") as typeof Addon;
const ours = fileURLToPath(new URL("../../native/target/release/culvert-engine", import.meta.url));
const uapiPath = `/run/wireguard/${linkName}.sock`;
const nodePath = "/run/wireguard/node9.sock";
const user = { uid: 65_534, gid: 65_534 };

const here = nacl.box.keyPair();
const far = nacl.box.keyPair();
let node: ChildProcess;
let engine: Engine | undefined;

beforeAll(async () => {
  mkdirSync("/run/wireguard", { recursive: true });
  ip("link set lo up");
  ip("addr add 192.0.2.9/32 dev lo");
  // our rules shall be asked before the local table, so that a mark decides also about the machine's own addresses
  ip("rule add pref 200 lookup local");
  ip("rule del pref 0");
  rmSync(nodePath, { force: true });
  node = spawn("wireguard-go", ["-f", "node9"], { stdio: "ignore" });
  await until(() => existsSync(nodePath));
  const hex = (key: Uint8Array) => Buffer.from(key).toString("hex");
  const set = [
    `private_key=${hex(far.secretKey)}`,
    "listen_port=51899",
    `public_key=${hex(here.publicKey)}`,
    "allowed_ip=10.99.0.2/32",
  ];
  await exchange(nodePath, `set=1\n${set.join("\n")}\n\n`);
  ip("addr add 10.99.0.1/24 dev node9");
  ip("link set node9 up");
});
afterEach(async () => {
  await engine?.stop();
  if (engine !== undefined) ip(`link del ${linkName}`);
  engine = undefined;
});
afterAll(() => {
  node.kill("SIGKILL");
  // files share a namespace: the next one finds it as this one did
  ip("rule add pref 0 lookup local");
  ip("rule del pref 200");
  ip("addr del 192.0.2.9/32 dev lo");
});

describe.each([
  ["culvert-engine", ours],
  ["wireguard-go", "wireguard-go"],
])("%s", (_name, path) => {
  test("greets the node as soon as it has a peer, and the node answers", async () => {
    engine = await start(path);
    const began = performance.now();
    await engine.peer({ configuration: configuration(), endpoint: { address: "192.0.2.9" as Address, port: 51_899 } });
    expect(await engine.answered(configuration(), 5000, new AbortController().signal)).toBe(true);
    // on loopback: the rest is the engine's own time
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await engine.state(configuration().publicKey)).toMatchObject({ endpoint: "192.0.2.9:51899" });
    // loopback takes less than the millisecond that ours counts in, and the stand-in does not tell
    expect(await engine.roundTripMs(configuration().publicKey)).toSatisfy((ms) => ms === null || ms < 1000);
  });

  test("takes packets from the adapter and sends them", async () => {
    engine = await start(path);
    ip(`addr add 10.99.0.2/32 dev ${linkName}`);
    ip(`route add 10.99.0.128/25 dev ${linkName}`);
    await engine.peer({ configuration: configuration(), endpoint: { address: "192.0.2.9" as Address, port: 51_899 } });
    expect(await engine.answered(configuration(), 5000, new AbortController().signal)).toBe(true);
    const before = await engine.state(configuration().publicKey);
    // nobody has that address: what is counted is what was sent, three packets of 84 bytes with 32 around each
    const ping = spawn("ping", ["-n", "-c", "3", "-i", "0.2", "-W", "1", "10.99.0.200"], { stdio: "ignore" });
    await new Promise((resolve) => ping.once("exit", resolve));
    const after = await engine.state(configuration().publicKey);
    expect((after?.txBytes ?? 0) - (before?.txBytes ?? 0)).toBeGreaterThanOrEqual(3 * 96);
  });

  test("a peer made anew greets again", async () => {
    engine = await start(path);
    const endpoint = { address: "192.0.2.9" as Address, port: 51_899 };
    for (let n = 0; n < 3; n++) {
      await engine.peer({ configuration: configuration(), endpoint });
      expect(await engine.answered(configuration(), 2000, new AbortController().signal)).toBe(true);
      // wireguard-go takes no second greeting of a peer within 20 ms (HandshakeInitationRate), and blurs its clock by 17 ms
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  test("runs as another user, without groups and with no more rights than it needs", async () => {
    engine = await start(path);
    await exchange(uapiPath, "get=1\n\n");
    const status = readFileSync(`/proc/${engine.pid}/status`, "utf8");
    expect(status).toMatch(/^Uid:\t65534\t65534\t65534\t65534$/m);
    expect(status).toMatch(/^Groups:\t *$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    // bit 12, CAP_NET_ADMIN, for the stand-in alone: it sets its socket's mark itself
    expect(status).toMatch(path === ours ? /^CapEff:\t0{16}$/m : /^CapEff:\t0{12}1000$/m);
  });

  test("its packets carry the engine's mark", async () => {
    ip("rule add pref 100 fwmark 0xc1000000/0xff000000 unreachable");
    engine = await start(path);
    await engine.peer({ configuration: configuration(), endpoint: { address: "192.0.2.9" as Address, port: 51_899 } });
    const answered = await engine.answered(configuration(), 700, new AbortController().signal);
    ip("rule del pref 100 fwmark 0xc1000000/0xff000000");
    expect(answered).toBe(false);
  });

  test("waiting ends at once when it is no longer wanted, and when the engine dies", async () => {
    engine = await start(path);
    const nobody = { address: "192.0.2.9" as Address, port: 9 };
    await engine.peer({ configuration: configuration(), endpoint: nobody });
    const stop = new AbortController();
    const waiting = engine.answered(configuration(), 60_000, stop.signal);
    stop.abort();
    expect(await waiting).toBe(false);
    const dying = engine.answered(configuration(), 60_000, new AbortController().signal).catch(() => false);
    process.kill(engine.pid, "SIGKILL");
    expect(await dying).toBe(false);
    expect(await engine.ended).toBe("SIGKILL");
  });
});

test("the engine dies with its helper", async () => {
  const script = `process.stdin.once("data", async (data) => {
    const { spawn } = await import("node:child_process");
    const child = spawn("setpriv", ["--reuid=65534", "--pdeathsig=KILL", "sleep", "60"]);
    console.log(child.pid);
  });`;
  const helper = spawn(process.execPath, ["-e", script], { stdio: ["pipe", "pipe", "inherit"] });
  const pid = new Promise<number>((resolve) =>
    helper.stdout.once("data", (d: Buffer) => {
      resolve(Number(d));
    }),
  );
  helper.stdin.write("go\n");
  const child = await pid;
  await until(() => readFileSync(`/proc/${child}/comm`, "utf8").trim() === "sleep");
  helper.kill("SIGKILL");
  await until(() => !existsSync(`/proc/${child}`) || /State:\tZ/.test(readFileSync(`/proc/${child}/status`, "utf8")));
});

test("the set it is given says what the file says", () => {
  const text = printSet({
    configuration: configuration(),
    endpoint: { address: "2001:db8::1" as Address, port: 1 },
    fwmark: null,
  });
  expect(text).toContain("endpoint=[2001:db8::1]:1\n");
});

async function start(path: string): Promise<Engine> {
  const kernel: Pick<Kernel, "openTun" | "openUdp" | "openUapi"> = {
    async openTun(name, vnetHeader, packetInfo = false) {
      return closing(addon.tunOpen({ name, vnetHeader, packetInfo, persist: true }));
    },
    async openUapi(at, uid) {
      const fd = addon.unixListen(at, 0o600);
      chownSync(at, uid, uid);
      return closing(fd);
    },
    async openUdp(family, port) {
      const opened = addon.udpOpen(family, port, marks.engine);
      return { ...closing(opened.fd), port: opened.port };
    },
  };
  closing(addon.tunOpen({ name: linkName, vnetHeader: false, persist: true })).close();
  ip(`link set ${linkName} up`);
  const kind = findEngine(path, []);
  if (!kind.ok) throw new Error(`${path} is not built`);
  return startEngine({
    kind: kind.value,
    user,
    kernel,
    uapiPath,
    listenPort: 0,
    said: () => undefined,
    log: () => undefined,
  });
}

function closing(fd: number) {
  return {
    fd,
    close: () => {
      addon.closeFd(fd);
    },
  };
}

function configuration(): Configuration {
  const base64 = (key: Uint8Array) => Buffer.from(key).toString("base64");
  const parsed = parseConf(
    `[Interface]\nPrivateKey = ${base64(here.secretKey)}\nAddress = 10.99.0.2/32\n[Peer]\nPublicKey = ${base64(far.publicKey)}\nEndpoint = 192.0.2.9:51899\nAllowedIPs = 10.99.0.0/24\n`,
  );
  if (!parsed.ok) throw new Error(parsed.refusal.code);
  return parsed.value;
}

function ip(args: string): void {
  execFileSync("ip", args.split(" "), { stdio: "pipe" });
}

async function until(done: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!done()) {
    if (Date.now() > deadline) throw new Error("waited 5 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
