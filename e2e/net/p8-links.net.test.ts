// P8: what happens to links while connected: the uplink is renamed, another device is born with the old name, lo is set
// down, the carrier is lost. Under flood, and with sockets bound to the device by its new name.
import { afterAll, beforeAll, test } from "vitest";

import { rawFrames } from "../lab/evasions.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

const { uplink } = places.laptop;
let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 lo is set down and up again: nothing beside", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec("ip link set lo down");
  });
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec("ip link set lo up");
  });
  await throughNode(road);
});

test("P8 the uplink loses its carrier and gets it back: nothing beside", async () => {
  const home = road.lab.wire("home");
  await holdsUnderFlood(
    road,
    async () => {
      await home.carrier("laptop", false);
      // linkwatch acts on it up to a second later (kernel finding 1.30-1.33)
      await new Promise((later) => setTimeout(later, 1500));
      await home.carrier("laptop", true);
    },
    everything(),
    4,
  );
  await throughNode(road);
});

test("P8 the uplink is renamed: nothing beside, not by its new name either", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec(`ip link set ${uplink} name wan7`);
  });
  await holdsUnderFlood(road, undefined, everything({ device: "wan7" }), 2);
  await holdsUnderFlood(road, undefined, rawFrames("wan7"), 2);
  await throughNode(road);
});
