import { expect, test } from "vitest";

import { defaultPolicy } from "../contract/policy.ts";
import { statusSchema } from "../contract/status.ts";
import { a, b, eventually, makeWorld, secret } from "./fake-world.ts";

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
  ["a name, without anybody to ask", { noUplink: true }, b, "machine.no-uplink"],
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

test("disconnecting does not wait for a node that does not answer", async () => {
  const world = await makeWorld({ answers: false, answerMs: 60_000 });
  const connecting = world.tunnel.connect(a);
  await world.until((s) => s.state.kind === "connecting" && s.state.steps[1]?.state === "running");
  expect(await world.tunnel.disconnect()).toMatchObject({ ok: true });
  expect(await connecting).toMatchObject({ ok: false, refusal: { code: "call.not-now" } });
  expect(world.tunnel.status().state.kind).toBe("off");
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

test("from boot on: the gate stands as soon as it is saved, after down, and after the helper's next start; reset takes it", async () => {
  const world = await makeWorld();
  const undos = world.kernel.undos;
  await world.tunnel.setPolicy({ ...defaultPolicy, killSwitch: "boot" });
  expect(world.kernel.states()).toEqual(["off"]);
  expect(world.tunnel.status().notices).toContain("gate.at-rest");
  await world.tunnel.connect(a);
  expect(world.tunnel.status().notices).not.toContain("gate.at-rest");
  expect(await world.tunnel.disconnect()).toMatchObject({ ok: true, value: { state: { kind: "off" } } });
  expect(world.kernel.states()).toEqual(["off", "connecting", "connected", "off"]);
  expect(world.kernel.undos).toBe(undos);
  expect(await world.tunnel.reset()).toMatchObject({ ok: true });
  expect(world.tunnel.status().notices).not.toContain("gate.at-rest");
  expect(world.kernel.undos).toBeGreaterThan(undos);
  const taken = world.kernel.applied.length;
  world.kernel.foreign({ at: 0, kind: "link", what: "ip link add", author: null, ours: false });
  await world.tunnel.setPolicy(defaultPolicy);
  expect(world.kernel.applied).toHaveLength(taken);
});

test("from boot on: a link that comes while off gets its gate, and so does a start that finds nothing", async () => {
  const world = await makeWorld();
  await world.tunnel.setPolicy({ ...defaultPolicy, killSwitch: "boot" });
  world.kernel.foreign({ at: 0, kind: "link", what: "ip link add", author: null, ours: false });
  await eventually(() => world.kernel.states().join() === "off,off");
  const next = await makeWorld({ dir: world.dir });
  expect(next.kernel.states()).toEqual(["off"]);
  expect(next.kernel.undos).toBe(0);
});

test("traffic is told each second while connected", async () => {
  const world = await makeWorld();
  await world.tunnel.connect(a);
  world.engine().count(5000, 700);
  const traffic = await world.next((t) => t.event === "traffic");
  expect(traffic).toMatchObject({ event: "traffic", data: { refused: 3, direct: 1, wire: null } });
});
