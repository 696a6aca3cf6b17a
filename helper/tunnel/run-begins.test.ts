import { expect, test } from "vitest";

import { defaultPolicy } from "../contract/policy.ts";
import { a, b, makeWorld } from "./fake-world.ts";

test("a helper that dies before a policy is confirmed puts the one of before back when it starts again", async () => {
  const world = await makeWorld();
  await world.tunnel.setPolicy({ ...defaultPolicy, ipv6: "block" }, 60);
  const again = await makeWorld({ dir: world.dir });
  expect(again.deps.store.policy()).toEqual(defaultPolicy);
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
