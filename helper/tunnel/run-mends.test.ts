import { expect, test } from "vitest";

import type { RuleFact } from "../plan/facts.ts";
import { a, makeWorld, summary } from "./fake-world.ts";

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

test("an adapter that vanished is noticed in the facts and made again", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.kernel.foreign({ at: 1, kind: "link", what: "ip link del culvert0", author: null, ours: true }, true);
  await world.until((s) => s.state.kind === "locked" && s.state.cause === "adapter-gone");
  await world.until((s) => s.state.kind === "connected");
});

const foreignRule: RuleFact = {
  ...{ family: 4, priority: 100, protocol: 4, not: false, from: null, to: null, iif: null, oif: null, mark: null },
  ...{ uids: null, ipProtocol: null, sport: null, dport: null, tos: 0, suppressPrefixLength: null },
  action: { kind: "lookup", table: 254 },
};
