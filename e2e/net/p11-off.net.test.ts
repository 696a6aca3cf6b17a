// P11: after down, reset, and a crash followed by a start and down, the machine is what it was: links, addresses, routes,
// rules, nftables, sysctls, resolver. What others changed meanwhile is kept.
import { afterAll, beforeAll, expect, test } from "vitest";

import { priorities } from "../../helper/plan/numbers.ts";
import { places } from "../lab/places.ts";
import { connect, openRoad, type Road, seenAs } from "./road.ts";
import { type Snapshot, snapshot } from "../lab/snapshot.ts";

let road: Road;
let before: Snapshot;
beforeAll(async () => {
  road = await openRoad({ control: [] });
  // loads what a first look at nft and conntrack loads
  await snapshot(road.laptop);
  before = await snapshot(road.laptop);
});
afterAll(() => road.close());

test("P11 after down everything is as before", async () => {
  await connect(road);
  expect((await road.laptop.exec("ip rule show")).stdout).toContain(`${priorities.engine}:`);
  await ok("down");
  expect(await snapshot(road.laptop)).toEqual(before);
});

test("P11 after reset everything is as before", async () => {
  await connect(road);
  await ok("reset");
  expect(await snapshot(road.laptop)).toEqual(before);
});

test("P11 after a crash, a start and down everything is as before", async () => {
  await connect(road);
  await road.culvert.kill();
  await road.culvert.start();
  await ok("down");
  expect(await snapshot(road.laptop)).toEqual(before);
});

test("P11 what others changed while connected is kept", async () => {
  await connect(road);
  await road.laptop.exec(
    `ip route add 192.0.2.128/25 via ${places.home.gateway} dev ${places.laptop.uplink} proto static
     ip rule add pref 5555 from 192.0.2.7 lookup main
     nft add table inet somebody
     sysctl -qw net.ipv4.ip_default_ttl=63`,
  );
  await ok("down");
  const after = await snapshot(road.laptop);
  expect(after["routes, IPv4"]).toContain("192.0.2.128/25");
  expect(after["rules, IPv4"]).toContain("5555:");
  expect(after["nft"]).toContain("somebody");
  expect(after["sysctls"]).toContain("net.ipv4.ip_default_ttl = 63");
  await road.laptop.exec(
    `ip route del 192.0.2.128/25; ip rule del pref 5555; nft delete table inet somebody
     sysctl -qw net.ipv4.ip_default_ttl=64`,
  );
  expect(await snapshot(road.laptop)).toEqual(before);
  expect(await seenAs(road.laptop)).toBe(places.home.ipv4);
});

async function ok(verb: string): Promise<void> {
  const done = await road.culvert.cli(verb);
  expect(done.code, `${verb}: ${done.stdout}${done.stderr}`).toBe(0);
}
