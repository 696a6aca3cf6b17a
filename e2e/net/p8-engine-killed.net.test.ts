// P8: the engine is killed under flood; the tunnel comes back by itself, and in between nothing goes beside.
import { afterAll, beforeAll, test } from "vitest";

import { until } from "../lab/process.ts";
import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 the engine is killed: nothing beside, and the tunnel comes back", async () => {
  await holdsUnderFlood(road, async () => {
    const [engine] = await road.culvert.engines();
    if (engine === undefined) throw new Error("no engine runs");
    await road.laptop.exec(["kill", "-9", String(engine)]);
    await until("another engine", async () => {
      const [now] = await road.culvert.engines();
      return now !== undefined && now !== engine ? now : undefined;
    });
  });
  await throughNode(road);
});
