// P8: a second uplink with a better metric is plugged in under flood (K8). It wins no packet but the engine's own.
import { afterAll, beforeAll, test } from "vitest";

import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

const { uplink, ipv4, gateway } = places.second;
let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 a second uplink with metric 0 is born: nothing beside on either", async () => {
  await holdsUnderFlood(road, async () => {
    await road.lab.wire("second").plug("laptop");
    await road.laptop.exec(
      `ip link set ${uplink} up
       ip addr add ${ipv4}/24 dev ${uplink}
       ip route add default via ${gateway} dev ${uplink} proto dhcp metric 0`,
    );
  });
  await throughNode(road);
});

test("P8 sockets bound to the new uplink send nothing on it", async () => {
  await holdsUnderFlood(road, undefined, everything({ device: uplink }), 2);
});

test("P8 the first uplink is pulled out: nothing beside on the second", async () => {
  await holdsUnderFlood(road, () => road.lab.wire("home").unplug("laptop"));
  await throughNode(road);
});
