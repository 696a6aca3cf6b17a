// P8: a router advertisement with a new prefix arrives under flood, from the router or from a stranger on the LAN. The
// machine takes an address from it; no packet goes there.
import { afterAll, beforeAll, expect, test } from "vitest";

import { advertisement } from "../lab/craft.ts";
import { flood } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

const prefix = "2001:db8:bad::/64";
let road: Road;
beforeAll(async () => {
  road = await openConnected({
    allowed: { onLink: ["10.40.0.0/24", "fd00:40::/64", places.home.prefix6, prefix, "fe80::/10"] },
  });
});
afterAll(() => road.close());

test("P8 an advertisement of a new prefix and of another router: nothing beside", async () => {
  const mac = "02:40:00:00:00:20";
  const hex = advertisement({ mac, router: "fe80::20", prefixes: [prefix] });
  await holdsUnderFlood(road, async () => {
    const frame = { name: "ra", kind: "frame", device: "eth0", hex, rate: 20, count: 10 } as const;
    await flood(road.lab.machine("printer"), [frame], 1);
    const taken = await until("an address from the advertisement", async () => {
      const shown = await road.laptop.exec(`ip -6 addr show dev ${places.laptop.uplink}`);
      return shown.stdout.includes("2001:db8:bad:") ? shown.stdout : undefined;
    });
    expect(taken).toContain("2001:db8:bad:");
  });
  await throughNode(road);
});
