// Canaries against the compiled gate, and against the same gate with a line taken out: a check that could not find that
// would be no check. Needs root and a network namespace of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "vitest";

import { defaultPolicy, type Policy } from "../contract/policy.ts";
import { type Address, type InterfaceAddress, parsePrefix, type Prefix } from "../contract/prefix.ts";
import type { Exit } from "../plan/exit.ts";
import type { NftTable } from "../plan/nft.ts";
import type { Plan } from "../plan/plan.ts";
import { compile } from "../policy/compile.ts";
import { mayLeave } from "../tunnel/may-leave.ts";
import { makeUplink, removeUplink, sh } from "./apart.ts";
import { canariesOf, type Flight, type Landed } from "./canaries.ts";
import { openLinux } from "./linux.ts";
import { loadNative } from "./native.ts";
import { nftChanges } from "./nft-changes.ts";
import { readTables } from "./read.ts";
import { type WireWatch, watchWire } from "./wire.ts";

const native = loadNative();
let socket: number;
let wire: WireWatch;
let plan: Plan;
let flight: Flight;

beforeEach(async () => {
  makeUplink();
  socket = native.nftOpen();
  wire = watchWire(native, (error) => {
    throw error;
  });
  await prepare();
});
afterEach(() => {
  wire.close();
  set([]);
  native.closeFd(socket);
  removeUplink();
});

test("with the gate closed every canary is tried and none is seen", async () => {
  set(plan.nft);
  expect(await fly()).toEqual({
    sockets: { tried: 2, refused: 2, seen: 0, failed: null },
    frames: { tried: 3, refused: 3, seen: 0, failed: null },
    blind: null,
  });
});

test("without a gate every canary is seen", async () => {
  const { sockets, frames } = await fly();
  expect([sockets.seen, sockets.tried, frames.seen, frames.tried]).toEqual([2, 2, 3, 3]);
});

test("a hole in lock 3 alone is found by raw frames; sockets are held by lock 2", async () => {
  set(opened("netdev", "egress"));
  const { sockets, frames } = await fly();
  expect(frames).toEqual({ tried: 3, refused: 0, seen: 3, failed: null });
  expect(sockets).toMatchObject({ tried: 2, refused: 2, seen: 0 });
});

test("a hole in lock 2 alone is held by lock 3: no packet, and no neighbour asked for the world", async () => {
  set(opened("inet", "output"));
  expect((await fly()).sockets).toMatchObject({ tried: 2, seen: 0 });
});

test("holes in both let a bound socket's packet out, and it is found", async () => {
  set(opened("inet", "output").map((t) => (t.family === "inet" ? t : openedIn(t, "egress"))));
  const { sockets, frames } = await fly();
  expect([sockets.seen, frames.seen]).toEqual([2, 3]);
});

test("a socket that only gets to ask a neighbour for the world leaks too", async () => {
  // routing has no way, so the kernel takes every IPv4 address for a neighbour (finding B); nobody answers
  sh("ip route del default; ip -6 route del default");
  const { sockets } = await fly();
  expect(sockets.seen).toBeGreaterThanOrEqual(1);
});

test("a canary that the caller sent is found by its nonce", async () => {
  const nonce = "c0ffee00c0ffee00c0ffee00c0ffee00";
  const landing = fly({ theirs: [nonce], targets: { sockets: [], frames: [] } });
  await new Promise((done) => setTimeout(done, 50));
  native.sendBy("up0", "203.0.113.9", 9, Buffer.from(nonce));
  expect((await landing).sockets).toMatchObject({ tried: 0, seen: 1 });
});

test("a watch that sees nothing, or is not there, is told", async () => {
  set(plan.nft);
  expect((await fly({ beyond: null })).blind).toEqual({ why: "silent" });
  wire.close();
  expect((await fly()).blind).toEqual({ why: "not-watched" });
});

test("a link that is gone is not said to have been tried", async () => {
  set(plan.nft);
  const landed = await fly({ links: [{ device: "gone0", link: "gone0" }] });
  expect(landed.sockets).toEqual({ tried: 0, refused: 0, seen: 0, failed: "ENODEV" });
});

const fly = (change: Partial<Flight> = {}): Promise<Landed> => canariesOf(native, wire)({ ...flight, ...change });

/** The gate that policy asks for on the links that are here; routing stays as it is, so that the gate is what holds. */
async function prepare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "culvert-canaries-"));
  const kernel = await openLinux({ native, stateDir: folder, runDir: folder, resolvConf: join(folder, "resolv.conf") });
  const facts = await kernel.read();
  kernel.close();
  rmSync(folder, { recursive: true });
  const made = compile({ policy, facts, exit, state: "connected" });
  if (!made.ok) throw new Error(made.refusal.code);
  plan = made.value;
  const leaving = mayLeave(plan, exit, policy, facts);
  const { allowed } = leaving;
  // the other end of the wire is a link of this namespace too
  const links = leaving.links.filter(({ link }) => link === "up0");
  wire.expect(links, allowed);
  wire.settle();
  flight = {
    ...{ links, theirs: [], beyond: "198.51.100.9" as Address },
    own: ["192.0.2.2", "2001:db8:1::2"] as Address[],
    targets: {
      sockets: (["203.0.113.77", "2001:db8:ca:fe::1"] as Address[]).map((address) => ({ address, bySight: true })),
      frames: ["203.0.113.78", "2001:db8:ca:fe::2"] as Address[],
    },
  };
}

const direct = parsePrefix("198.51.100.0/24") as Prefix;
const policy: Policy = {
  ...defaultPolicy,
  rules: [{ id: "direct", name: "Direct", match: { destination: [direct] }, lane: "direct" }],
};
const exit: Exit = {
  endpoint: { address: "203.0.113.7" as Address, port: 51_820 },
  inside: ["10.9.0.2/32", "fd09::2/128"] as InterfaceAddress[],
  dns: ["10.9.0.1" as Address],
  allowedIps: ["0.0.0.0/0", "::/0"] as Prefix[],
  mtu: null,
};

function opened(family: NftTable["family"], chain: string): readonly NftTable[] {
  return plan.nft.map((table) => (table.family === family ? openedIn(table, chain) : table));
}

/** The line that drops what nothing else asks for is taken out, and the policy that stands behind it. */
function openedIn(table: NftTable, name: string): NftTable {
  return {
    ...table,
    chains: table.chains.map((chain) => {
      if (chain.name !== name || chain.base === null) return chain;
      expect(chain.rules.at(-1)?.verdict).toEqual({ kind: "drop" });
      return { ...chain, base: { ...chain.base, policy: "accept" }, rules: chain.rules.slice(0, -1) };
    }),
  };
}

function set(wanted: readonly NftTable[]): void {
  const left = nftChanges(wanted, readTables(native, { route: -1, nft: socket }), native.netlinkPort(socket));
  const refused = native.nftApply(socket, left);
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
}
