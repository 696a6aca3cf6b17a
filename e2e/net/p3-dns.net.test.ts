// P3: names are asked of the tunnel's resolver only. The machine's own resolver configuration says so, and questions to
// any other server, on the LAN too, go nowhere beside the tunnel.
import { afterAll, beforeAll, expect, test } from "vitest";

import { query, type Stream } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { holdsUnderFlood, openConnected, type Road } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P3 a name is resolved by the node's resolver, and the authority sees the node asking", async () => {
  const name = `p3-${Date.now()}.${places.authority.zone}`;
  await road.laptop.exec(["curl", "-s", "-m", "5", `http://${name}/json`]);
  const asked = await until("the question at the authority", () =>
    road.lab.events("authority", "asked").find((e) => e["name"] === name),
  );
  expect(asked["from"]).toBe(road.node.address4);
  expect(road.lab.events("router", "resolve").filter((e) => e["name"] === name)).toEqual([]);
  expect(road.lab.events("isp", "resolve").filter((e) => e["name"] === name)).toEqual([]);
});

test("P3 questions to the home router, the ISP and a public server by every port for names: nothing beside", async () => {
  const hex = query("p3-flood.beacon.example");
  const servers = [
    places.home.gateway,
    places.printer.ipv4,
    places.printer.ipv6,
    places.resolver.ipv4,
    places.resolver.ipv6,
  ];
  const streams = servers.flatMap((to): Stream[] => [
    { name: `udp-53-${to}`, kind: "udp", to, port: 53, hex, rate: 1000 },
    { name: `tcp-53-${to}`, kind: "connect", to, port: 53, rate: 1000 },
    { name: `tcp-853-${to}`, kind: "connect", to, port: 853, rate: 1000 },
    { name: `udp-853-${to}`, kind: "udp", to, port: 853, rate: 1000 },
  ]);
  await holdsUnderFlood(road, undefined, streams, 2);
});
