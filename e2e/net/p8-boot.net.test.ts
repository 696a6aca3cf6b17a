// The kill switch "from boot on", while nothing is connected: what the column "off, from boot" of helper/README.md names
// passes, everything else does not: before the first connection, after down, while the helper is dead, on a link that is
// born meanwhile. Reset takes it away, and so does another policy.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { PolicyRule } from "../../helper/contract/policy.ts";
import type { Prefix } from "../../helper/contract/prefix.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { snapshot, type Snapshot } from "../lab/snapshot.ts";
import { basePolicy, connect, holdsUnderFlood, openRoad, type Road, seenAs, throughNode } from "./road.ts";

const { backup, home, laptop, printer, second } = places;
const direct = [`${backup.ipv4}/32`, `${backup.ipv6}/128`] as Prefix[];
const rules: PolicyRule[] = [{ id: "backup", name: "Backup", match: { destination: direct }, lane: "direct" }];
const boot = { ...basePolicy, rules, killSwitch: "boot" } as const;

let road: Road;
let before: Snapshot;
beforeAll(async () => {
  road = await openRoad({ allowed: { direct } });
  await snapshot(road.laptop);
  before = await snapshot(road.laptop);
});
afterAll(() => road.close());

const bound = everything({ device: laptop.uplink });

async function onlyWhatIsNamedPasses(): Promise<void> {
  const { state, notices } = await road.culvert.status();
  expect(state.kind).toBe("off");
  expect(notices).toContain("gate.at-rest");
  await holdsUnderFlood(road, undefined, everything(), 2);
  await holdsUnderFlood(road, undefined, bound, 2);
  const since = Date.now();
  expect((await road.laptop.exec(["curl", "-s", "-m", "5", `http://${printer.ipv4}/`])).stdout).toContain("printer");
  expect(await seenAs(road.laptop, backup.ipv4)).toBe(home.ipv4);
  expect(await seenAs(road.laptop, backup.ipv6)).toMatch(/^2001:db8:73:/);
  expect(await seenAs(road.laptop)).toBe("");
  expect((await road.home.look(road.allowed, since)).beside).toEqual([]);
}

test("P1 saved while off it holds at once: the LAN and the direct lane pass, nothing else", async () => {
  await road.culvert.setPolicy(boot);
  await onlyWhatIsNamedPasses();
});

test("P9 connecting and down under flood: nothing beside", async () => {
  await holdsUnderFlood(road, () => connect(road), everything(), 4);
  await throughNode(road);
  await holdsUnderFlood(road, async () => {
    expect((await road.culvert.cli("down")).code).toBe(0);
  });
  await onlyWhatIsNamedPasses();
});

test("P8 a link is born while off: nothing leaves by it", async () => {
  await holdsUnderFlood(road, async () => {
    await road.lab.wire("second").plug("laptop");
    await road.laptop.exec(
      `ip link set ${second.uplink} up; ip addr add ${second.ipv4}/24 dev ${second.uplink}
       ip route add default via ${second.gateway} dev ${second.uplink} proto dhcp metric 0`,
    );
  });
  await holdsUnderFlood(road, undefined, everything({ device: second.uplink }), 2);
  await road.lab.wire("second").unplug("laptop");
});

test("P8 another program flushes the tables while off: they are back, and nothing beside", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec("nft flush ruleset");
  });
  await onlyWhatIsNamedPasses();
});

test("P8 the helper is killed while off: nothing beside while it is dead, and when it comes back", async () => {
  await road.culvert.kill();
  await holdsUnderFlood(road, undefined, [...everything(), ...everything({ device: laptop.uplink }, "bound-")], 2);
  await holdsUnderFlood(road, () => road.culvert.start(), everything(), 4);
});

test("P11 reset opens it, and everything is as before", async () => {
  expect((await road.culvert.cli("reset")).code).toBe(0);
  expect((await road.culvert.status()).notices).not.toContain("gate.at-rest");
  expect(await snapshot(road.laptop)).toEqual(before);
  expect(await seenAs(road.laptop)).toBe(home.ipv4);
});

test("P11 a policy without it opens it too", async () => {
  await road.culvert.setPolicy(boot);
  expect(await seenAs(road.laptop)).toBe("");
  await road.culvert.setPolicy(basePolicy);
  expect(await snapshot(road.laptop)).toEqual(before);
  expect(await seenAs(road.laptop)).toBe(home.ipv4);
});
