// The tap of the wire against frames that are really sent. Needs root and a network namespace of its own.
import { afterEach, beforeEach, expect, test } from "vitest";

import type { Address, Prefix } from "../contract/prefix.ts";
import { flood, framesOut, makeUplink, removeUplink, sh, until } from "./apart.ts";
import { loadNative, type WireAllowed, type WireCounts, type WireRules, type WireTap } from "./native.ts";

const native = loadNative();
let tap: WireTap;
let stop: (() => Promise<void>) | undefined;
beforeEach(() => {
  makeUplink();
  tap = native.wireTap(rules);
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  tap.close();
  removeUplink();
});

const prefix = (text: string) => text as Prefix;
const on = (text: string) => ({ link: "up0", prefix: prefix(text) });
const lane = (to: string, direct: boolean) => ({
  ...{ direct, to: [prefix(to)], protocol: null, ports: null, marked: false },
});
const allowed: WireAllowed = {
  endpoints: [{ address: "203.0.113.7" as Address, port: 51_820 }],
  inside: [],
  near: [on("192.0.2.0/24"), on("2001:db8:1::/64")],
  // the kernel reports its own groups to the link whenever it likes (MLD)
  lan: [on("2001:db8:1::/64")],
  lanes: [lane("198.51.100.64/26", false), lane("198.51.100.0/25", true), lane("2001:db8:5::/48", true)],
  resolvers: ["198.51.100.2" as Address],
  answers: [{ protocol: 17, port: 22, to: [] }],
};
const rules: WireRules = { links: [{ device: "up0", link: "up0" }], allowed: [allowed] };
const counts = (): WireCounts => tap.counts();

test("the engine's packets and direct prefixes may leave, all else is beside and kept as evidence", async () => {
  send("203.0.113.7", 51_820);
  send("198.51.100.1", 443);
  send("198.51.100.2", 53);
  send("2001:db8:5::1", 443);
  send("203.0.113.200", 443, 22);
  await until(() => counts().seen >= 5);
  expect(counts()).toMatchObject({ beside: 0, missed: 0, first: [] });
  send("203.0.113.7", 53);
  send("198.51.100.65", 443);
  send("198.51.100.1", 53);
  send("2001:db8:6::1", 443);
  await until(() => counts().beside >= 4);
  const { beside, first } = counts();
  expect(beside).toBe(4);
  expect(first.map((f) => [f.device, f.protocol, f.source, f.destination, f.dport])).toEqual([
    ["up0", 17, "192.0.2.2", "203.0.113.7", 53],
    ["up0", 17, "192.0.2.2", "198.51.100.65", 443],
    ["up0", 17, "192.0.2.2", "198.51.100.1", 53],
    ["up0", 17, "2001:db8:1::2", "2001:db8:6::1", 443],
  ]);
});

test("neighbours are looked for; the world is not, nor is a stranger pinged", async () => {
  sh("ip neigh flush all");
  sh("ping -c1 -W1 192.0.2.77 || true");
  sh("ping -6 -c1 -W1 2001:db8:1::77 || true");
  await until(() => counts().seen >= 2);
  expect(counts().beside).toBe(0);
  sh("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev up0");
  sh("ping -c1 -W1 203.0.113.7 || true");
  await until(() => counts().beside === 1);
  // a socket bound to the link makes the world a neighbour (kernel finding B)
  sh("ip route del default; ping -c1 -W1 -I up0 203.0.113.50 || true");
  await until(() => counts().beside >= 2);
  expect(counts().first.at(-1)).toMatchObject({ ethertype: 0x0806, destination: "203.0.113.50" });
});

test("a flood is counted frame by frame, also over a change of the rules, in memory that does not grow", async () => {
  const out = framesOut();
  const memory = process.memoryUsage.rss();
  stop = await flood();
  await until(() => framesOut() - out > 20_000, 20_000);
  tap.follow({ ...rules, allowed: [allowed, allowed] });
  await until(() => framesOut() - out > 40_000, 20_000);
  await stop();
  stop = undefined;
  const sent = framesOut() - out;
  await until(() => counts().seen + counts().missed >= sent);
  expect(counts().beside + counts().missed).toBeGreaterThan(39_000);
  expect(counts().first).toHaveLength(8);
  // the ring is 1 MiB; the rest is this process's own garbage
  expect(process.memoryUsage.rss() - memory).toBeLessThan(24 << 20);
});

test("fragments of what may leave may leave, also when they carry no ports", async () => {
  sh(
    `${process.execPath} -e 'const s = require("node:dgram").createSocket("udp4"); s.bind(22, () => s.send(Buffer.alloc(4000), 9, "203.0.113.200", () => s.close()))'`,
  );
  await until(() => counts().seen >= 3);
  expect(counts().beside).toBe(0);
});

test("a renamed link is watched on, a born one is watched when it is named, one that is not there is left out", async () => {
  sh("ip link set up0 name up9");
  send("203.0.113.99", 9);
  await until(() => counts().beside === 1);
  sh("ip link set up9 name up0");
  tap.follow({ ...rules, links: [...rules.links, { device: "born0", link: "born0" }] });
  sh("ip link add born0 type veth peer name born1; ip link set born0 up; ip link set born1 up");
  try {
    tap.follow({ ...rules, links: [...rules.links, { device: "born0", link: "born0" }] });
    native.frameSend("born0", 0x0800, Buffer.from("4500001c0001000040114f0ac0000202cb0071630009000900080000", "hex"));
    await until(() => counts().first.some((f) => f.device === "born0" && f.destination === "203.0.113.99"));
  } finally {
    sh("ip link del born0");
  }
});

test("a nonce is sighted in the frame that carries it, and only then", async () => {
  const nonce = "a1b2c3d4e5f60718293a4b5c6d7e8f90";
  tap.lookFor([nonce]);
  send("203.0.113.99", 9);
  await until(() => counts().beside === 1);
  expect(counts().sighted).toEqual([]);
  native.sendBy("up0", "203.0.113.99", 9, Buffer.from(`culvert canary ${nonce}`));
  await until(() => counts().sighted.length === 1);
  expect(counts().sighted).toEqual([nonce]);
  tap.lookFor([nonce]);
  expect(counts().sighted).toEqual([]);
  native.frameSend("up0", 0x88b5, Buffer.from(`culvert canary ${nonce}`));
  await until(() => counts().sighted.length === 1);
});

function send(to: string, port: number, from = 0): void {
  const family = to.includes(":") ? "udp6" : "udp4";
  sh(
    `${process.execPath} -e 'const s = require("node:dgram").createSocket("${family}"); s.bind(${from}, () => s.send("x", ${port}, "${to}", () => s.close()))'`,
  );
}
