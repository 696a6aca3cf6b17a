// P8, lock 3 removed alone: the netdev table is deleted while the helper is dead. Routing and the inet table hold every
// socket. What they cannot hold is the known limit that lock 3 exists for: raw frames, which no other hook sees.
import { afterAll, beforeAll, expect, test } from "vitest";

import { tableName } from "../../helper/plan/numbers.ts";
import { rawFrames, sourceRouted } from "../lab/evasions.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { ownTables } from "./own-tables.ts";
import { holdsUnderFlood, openConnected, type Road, underFlood } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
  await road.culvert.kill();
  await road.laptop.exec(`nft delete table netdev ${tableName}`);
  expect(await ownTables(road.laptop), "lock 3 is gone, the other is there").toEqual(["inet"]);
});
afterAll(() => road.close());

test("P8 lock 3 gone: sockets of every kind send nothing beside", async () => {
  await holdsUnderFlood(road, undefined, everything(), 2);
  await holdsUnderFlood(road, undefined, everything({ device: places.laptop.uplink }), 2);
  await holdsUnderFlood(road, undefined, sourceRouted(), 2);
});

test("P8 lock 3 gone, known limit: raw frames are held by it alone, and the watcher sees them", async () => {
  const { home } = await underFlood(road, rawFrames(), 1);
  expect(home.counts.beside).toBeGreaterThan(1000);
});
