// P10: a container on the laptop (a namespace behind a bridge with masquerade, as container engines make it) is held to the
// same lanes: it arrives through the node, and under flood nothing of it goes beside.
import { afterAll, beforeAll, expect, test } from "vitest";

import { openContainer } from "../lab/container.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { expectNothingBeside, openConnected, type Road, seenAs, underFlood } from "./road.ts";

let road: Road;
let container: Road["laptop"];
beforeAll(async () => {
  road = await openConnected();
  container = await openContainer(road.laptop, 2);
});
afterAll(() => road.close());

test("P10 a container's flood: nothing beside", async () => {
  const streams = everything();
  const outcome = await underFlood({ ...road, laptop: container }, streams, 3);
  expectNothingBeside(outcome, streams, 3);
});

test("P10 a container's page comes through the node, over both families", async () => {
  expect(await seenAs(container, places.web.ipv4)).toBe(road.node.address4);
  expect(await seenAs(container, places.web.ipv6)).toBe(road.node.address6);
});
