// P8: more specific routes appear in main under flood, as a DHCP server puts them there (TunnelVision, CVE-2024-3661), and
// routes to single hosts. With the own table main is never asked, and they win nothing. In a form that lies in main they win
// the packets for those hosts: these are dropped, the status says so, and nothing goes beside.
import { afterAll, beforeAll, expect, test } from "vitest";

import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { basePolicy, holdsUnderFlood, openConnected, type Road, seenAs, throughNode } from "./road.ts";

const { home, laptop, web, resolver } = places;
let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P8 0/1 and 128/1 in main, and ::/1 and 8000::/1: nothing beside, whatever else becomes of it", async () => {
  await holdsUnderFlood(road, async () => {
    await road.laptop.exec(
      `for p in 0.0.0.0/1 128.0.0.0/1 ${web.ipv4}/32 ${resolver.ipv4}/32; do
         ip route add $p via ${home.gateway} dev ${laptop.uplink} proto dhcp
       done
       for p in ::/1 8000::/1 ${web.ipv6}/128; do ip -6 route add $p via fe80::1 dev ${laptop.uplink} proto ra; done`,
    );
  });
  if (basePolicy.form === "table") return throughNode(road);
  await until("the notice", async () =>
    (await road.culvert.status()).notices.includes("form.outranked") ? true : undefined,
  );
  expect(await seenAs(road.laptop), "what goes there is held").toBe("");
});
