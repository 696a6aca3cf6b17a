// Needs root and a network namespace of its own. What crashed VPNs leave is planted by the very programs and commands that
// leave it, found by the pure search on what was really read, taken away by the port, and the machine is as it was before.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import type { Removed } from "./removed.ts";
import { compile } from "../policy/compile.ts";
import { node, policy } from "../policy/sample-machines.ts";
import type { Stale } from "../policy/stale-ground.ts";
import { staleOf } from "../policy/stale.ts";
import { makeUplink, removeUplink, sh, until } from "./apart.ts";
import { type LinuxKernel, openLinux } from "./linux.ts";
import { loadNative } from "./native.ts";

const native = loadNative();
let folder: string;
let kernel: LinuxKernel;
let before: string;

beforeEach(async () => {
  makeUplink();
  folder = mkdtempSync(join(tmpdir(), "culvert-stale-"));
  writeFileSync(join(folder, "resolv.conf"), "nameserver 192.0.2.53\n");
  kernel = await open();
  await until(() => !sh("ip -o link show dev up0").includes("state DOWN"));
  before = state();
  expect(await found()).toEqual([]);
});
afterEach(() => {
  kernel.close();
  removeUplink();
  rmSync(folder, { recursive: true });
});

test("wg-quick whose engine was killed: rules and nft tables of both families", async () => {
  const conf = join(folder, "wgq0.conf");
  const [own, peer] = [sh("wg genkey").trim(), sh("wg genkey | wg pubkey").trim()];
  writeFileSync(
    conf,
    `[Interface]\nPrivateKey = ${own}\nAddress = 10.66.0.2/32, fd66::2/128\n[Peer]\nPublicKey = ${peer}
AllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = 203.0.113.66:51820\n`,
    { mode: 0o600 },
  );
  // a kernel without the module has wg-quick start this one
  sh(`WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go wg-quick up ${conf} 2>&1`);
  expect(
    (await found()).map((s) => s.finding.code),
    "while it lives nothing of it is stale",
  ).toEqual([]);
  expect((await kernel.read()).others.map((o) => [o.name, o.excludes])).toEqual([["wgq0", true]]);
  // the one in this network namespace, and nobody else's
  sh(`kill -9 $(pgrep -x wireguard-go --ns ${process.pid} --nslist net); rm -f /var/run/wireguard/wgq0.sock`);
  await until(() => !sh("ip -o link").includes("wgq0"));
  expect(sh("ip rule; ip -6 rule").match(/0xca6c/g)).toHaveLength(2);
  const left = await found();
  expect(left.map((s) => [s.finding.code, s.finding.author])).toEqual([["stale.wg-quick", "wg-quick"]]);
  expect((await kernel.read()).others).toEqual([]);
  await removed(left);
  expect(state()).toBe(before);
});

test("OpenVPN's persistent adapter with its halves, and the way to its server", async () => {
  sh(
    `ip tuntap add mode tun name tun7; ip link set tun7 up mtu 1500; ip addr add 10.8.0.6/24 dev tun7
     ip route add 203.0.113.50/32 via 192.0.2.1 dev up0
     ip route add 0.0.0.0/1 via 10.8.0.1 dev tun7; ip route add 128.0.0.0/1 via 10.8.0.1 dev tun7`,
  );
  writeFileSync(join(folder, "resolv.conf"), "nameserver 10.8.0.1\nnameserver 192.0.2.53\n");
  const held = native.tunOpen({ name: "tun7", vnetHeader: false, persist: true });
  await until(() => sh("ip -o link show dev tun7").includes("LOWER_UP"));
  expect(
    (await found()).map((s) => s.finding.code),
    "somebody holds it",
  ).toEqual([]);
  expect((await kernel.read()).others.map((o) => [o.name, o.excludes])).toEqual([["tun7", true]]);
  native.closeFd(held);
  await until(() => sh("ip -o link show dev tun7").includes("NO-CARRIER"));
  const left = await found();
  expect(left.map((s) => s.finding.code)).toEqual(["stale.adapter", "stale.host-route", "stale.names"]);
  await removed(left);
  expect(state()).toBe(before);
  expect(readFileSync(join(folder, "resolv.conf"), "utf8")).toBe("nameserver 192.0.2.53\n");
});

test("what was taken away can be brought back by the commands that were noted", async () => {
  sh(
    `ip rule add pref 220 lookup 220; ip route add 198.51.100.0/24 via 192.0.2.1 dev up0 proto static src 192.0.2.2 table 220
     ip -6 rule add pref 5270 lookup 52; ip route add default via 192.0.2.77 dev up0 metric 700 proto dhcp onlink`,
  );
  sh("ip route add blackhole 128.0.0.0/1");
  const planted = state();
  const left = await found();
  expect(left.map((s) => [s.finding.code, s.finding.author])).toEqual([
    ["stale.program", "Tailscale"],
    ["stale.program", "strongSwan"],
    ["stale.blackhole", null],
  ]);
  await removed(left);
  const lines = readFileSync(join(folder, "removed.jsonl"), "utf8").trim().split("\n");
  const back = lines.flatMap((line) => (JSON.parse(line) as Removed).removed.map((r) => r.back ?? ""));
  for (const command of back.reverse()) sh(command);
  expect(state()).toBe(planted);
  await removed(await found());
  sh("ip route del default via 192.0.2.77");
  expect(state()).toBe(before);
});

test("a gateway whose network has gone, and one that does not answer", async () => {
  sh("ip addr add 10.5.0.2/24 dev up0; ip route add default via 10.5.0.1 dev up0 metric 50");
  sh("ip route del 10.5.0.0/24 dev up0");
  sh("ip route add default via 192.0.2.99 dev up0 metric 60");
  // nobody at the other end has that address: the question stays unanswered
  sh("ping -c 1 -W 1 -I up0 192.0.2.99 || true");
  await until(() => readFileSync("/proc/net/arp", "utf8").includes("192.0.2.99"));
  const left = await found();
  expect(left.map((s) => s.finding.code)).toEqual(["stale.gateway-gone", "stale.gateway-silent"]);
  await removed(left);
  sh("ip addr del 10.5.0.2/24 dev up0; ip neigh flush nud failed nud incomplete dev up0");
  expect(state()).toBe(before);
});

test.each(["table", "metric", "halves", "eighths"] as const)("an older run of our own, form %s", async (form) => {
  const facts = await kernel.read();
  const plan = compile({ policy: policy({ form }), facts, exit: node, state: "connected" });
  if (!plan.ok) throw new Error(plan.refusal.code);
  await kernel.apply({ ...plan.value, dns: null });
  expect(
    (await found(true)).map((s) => s.finding.code),
    "it stands",
  ).toEqual([]);
  kernel.close();
  // another life that knows no journal: the tables are its own again, being orphans
  rmSync(join(folder, "journal.json"));
  kernel = await open();
  const left = await found();
  expect(left.map((s) => [s.finding.code, s.finding.author])).toEqual([["stale.own", "Culvert"]]);
  await removed(left);
  expect(state()).toBe(before);
});

function open(): Promise<LinuxKernel> {
  return openLinux({ native, stateDir: folder, runDir: folder, resolvConf: join(folder, "resolv.conf") });
}

async function found(standing = false): Promise<readonly Stale[]> {
  const [facts, evidence] = await Promise.all([kernel.read(), kernel.evidence()]);
  const resolver = { ...facts.resolver, resolvedRunning: false };
  return staleOf({ ...facts, resolver }, { ...evidence, standing });
}

async function removed(left: readonly Stale[]): Promise<void> {
  for (const { finding, remedy } of left) {
    const done = await kernel.remove(remedy);
    expect(done.slice(0, 64)).toEqual(finding.remedy);
  }
  await until(() => !state().includes("tun7"));
  expect(await found()).toEqual([]);
}

function state(): string {
  return sh(
    `ip -o link | sed 's/^[0-9]*: //; s/ state .*//'; ip -o addr | sed 's/^[0-9]*: //; s/valid_lft.*//'
     ip -4 route show table all; ip -6 route show table all; ip rule; ip -6 rule; ip nexthop; nft list tables`,
  );
}
