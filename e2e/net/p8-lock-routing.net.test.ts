// P8, lock 1 removed alone: all rules and our tables are flushed while the helper is dead, so nobody mends it. Main is
// asked again; locks 2 and 3 hold everything, also sockets bound to the uplink and raw frames.
import { afterAll, beforeAll, expect, test } from "vitest";

import { linkName, mainMetrics, tables } from "../../helper/plan/numbers.ts";
import { rawFrames, sourceRouted } from "../lab/evasions.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { holdsUnderFlood, openConnected, type Road } from "./road.ts";

const inMain = [`table main dev ${linkName}`, `table main type unreachable metric ${mainMetrics.stop}`];
let road: Road;
beforeAll(async () => {
  road = await openConnected();
  await road.culvert.kill();
  // and what a form of T2 has laid into main
  const ours = [...Object.values(tables).map((table) => `table ${table}`), ...inMain];
  const flushed = ours.flatMap((what) => ["-4", "-6"].map((family) => `ip ${family} route flush ${what} || true`));
  await road.laptop.exec(
    `ip rule flush; ip -6 rule flush
     ip rule add pref 32766 lookup main; ip -6 rule add pref 32766 lookup main
     ${flushed.join("\n")}`,
  );
  const way = await road.laptop.exec(["ip", "route", "get", places.web.ipv4]);
  expect(way.stdout, "lock 1 is gone: main decides").toContain(`via ${places.home.gateway}`);
});
afterAll(() => road.close());

test("P8 lock 1 gone: sockets of every kind send nothing beside", async () => {
  await holdsUnderFlood(road, undefined, everything(), 2);
  await holdsUnderFlood(road, undefined, everything({ device: places.laptop.uplink }), 2);
});

test("P8 lock 1 gone: raw frames and source-routed packets send nothing beside", async () => {
  await holdsUnderFlood(road, undefined, [...rawFrames(), ...sourceRouted()], 2);
});
