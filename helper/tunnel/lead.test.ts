import { expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { PlanNexthop } from "../plan/plan.ts";
import { a, eventually, type Given, makeWorld } from "./fake-world.ts";

const by = (via: string): PlanNexthop => ({
  ...{ id: 7602, family: 4 },
  to: { kind: "dev", dev: "eth0", via: via as Address, onlink: true },
});
const [old, now] = [by("192.0.2.1"), by("192.0.2.9")];

/** Connects, then the uplink is another. */
async function moved(given: Given, failOn: string | null = null) {
  const world = await makeWorld({ standing: [old], nexthops: [now], ...given });
  await world.tunnel.connect(a);
  const { kernel } = world;
  kernel.failOn = failOn;
  const plans = kernel.applied.length;
  const ledBefore: number[] = [];
  const apply = kernel.apply.bind(kernel);
  kernel.apply = (plan) => {
    ledBefore.push(kernel.led.length);
    return apply(plan);
  };
  kernel.foreign({ at: 1, kind: "route", what: "ip route replace default", author: "dhclient", ours: false });
  await eventually(() => kernel.applied.length > plans);
  return { ...world, ledBefore };
}

test("what leads a large set moves to the new uplink before the plan is laid again", async () => {
  const { kernel, ledBefore } = await moved({});
  expect(kernel.led).toEqual([now]);
  expect(ledBefore).toEqual([1]);
});

test("nothing moves ahead of its proof where the gate leans on routing", async () => {
  expect((await moved({ alone: false })).kernel.led).toEqual([]);
});

test("nothing moves that is as it was, that is new, or that leads into the tunnel", async () => {
  expect((await moved({ nexthops: [old] })).kernel.led).toEqual([]);
  expect((await moved({ standing: [], nexthops: [now] })).kernel.led).toEqual([]);
  const inside: PlanNexthop = { ...old, to: { kind: "dev", dev: "culvert0", via: null, onlink: false } };
  expect((await moved({ standing: [inside], nexthops: [now] })).kernel.led).toEqual([]);
  expect((await moved({ nexthops: [inside] })).kernel.led).toEqual([]);
});

test("what cannot be moved waits for the plan", async () => {
  const { kernel, tunnel } = await moved({}, "lead");
  expect(kernel.led).toEqual([]);
  expect(tunnel.status().state.kind).toBe("connected");
});
