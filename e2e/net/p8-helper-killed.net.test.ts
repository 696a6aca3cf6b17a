// P8: the helper is killed with SIGKILL under flood. The gate stays, while it is dead and when it starts again.
import { afterAll, beforeAll, test } from "vitest";

import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 the helper is killed: nothing beside while it is dead", async () => {
  await holdsUnderFlood(road, () => road.culvert.kill());
});

test("P8 a new helper takes over: nothing beside on the way, and the tunnel comes back", async () => {
  await holdsUnderFlood(road, () => road.culvert.start());
  await throughNode(road);
});
