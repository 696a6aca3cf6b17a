// P8: more specific routes appear in main under flood, as a DHCP server puts them there (TunnelVision, CVE-2024-3661), and
// routes to single hosts. Main is never asked, so they win nothing.
import { afterAll, beforeAll, test } from "vitest";

import { places } from "../lab/places.ts";
import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

const { home, laptop, web, resolver } = places;
let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 0/1 and 128/1 in main, and ::/1 and 8000::/1: nothing beside, the tunnel goes on", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec(
      `for p in 0.0.0.0/1 128.0.0.0/1 ${web.ipv4}/32 ${resolver.ipv4}/32; do
         ip route add $p via ${home.gateway} dev ${laptop.uplink} proto dhcp
       done
       for p in ::/1 8000::/1 ${web.ipv6}/128; do ip -6 route add $p via fe80::1 dev ${laptop.uplink} proto ra; done`,
    );
  });
  await throughNode(road);
});
