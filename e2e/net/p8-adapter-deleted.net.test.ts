// P8: somebody deletes the adapter under flood; it is made again, and in between nothing goes beside.
import { afterAll, beforeAll, test } from "vitest";

import { linkName } from "../../helper/plan/numbers.ts";
import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 the adapter is deleted: nothing beside, and the tunnel comes back", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec(`ip link del ${linkName}`);
  });
  await throughNode(road);
});

test("P8 the adapter is set down: nothing beside, and the tunnel comes back", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec(`ip link set ${linkName} down`);
  });
  await throughNode(road);
});
