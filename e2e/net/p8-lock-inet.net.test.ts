// P8, lock 2 removed alone: the inet table is deleted while the helper is dead (an owned table without owner is defenceless,
// kernel finding 5.11). Routing and the egress chain hold, also sockets bound to the uplink and raw frames.
import { afterAll, beforeAll, expect, test } from "vitest";

import { tableName } from "../../helper/plan/numbers.ts";
import { rawFrames, sourceRouted } from "../lab/evasions.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { ownTables } from "./own-tables.ts";
import { holdsUnderFlood, openConnected, type Road } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
  await road.culvert.kill();
  await road.laptop.exec(`nft delete table inet ${tableName}`);
  expect(await ownTables(road.laptop), "lock 2 is gone, the other is there").toEqual(["netdev"]);
});
afterAll(() => road.close());

test("P8 lock 2 gone: sockets of every kind send nothing beside", async () => {
  await holdsUnderFlood(road, undefined, everything(), 2);
  await holdsUnderFlood(road, undefined, everything({ device: places.laptop.uplink }), 2);
});

test("P8 lock 2 gone: raw frames and source-routed packets send nothing beside", async () => {
  await holdsUnderFlood(road, undefined, [...rawFrames(), ...sourceRouted()], 2);
});
