// P1 no leak: whatever kind of socket or frame tries, connected, nothing leaves beside the tunnel.
import { afterAll, beforeAll, expect, test } from "vitest";

import { multicast, rawFrames, sourceRouted } from "../lab/evasions.ts";
import { everything, openFlood, longOpen, type Stream } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { connect, expectNothingBeside, holdsUnderFlood, openRoad, type Road } from "./road.ts";

const uplink = places.laptop.uplink;
const seconds = 2;
const early = longOpen();

let road: Road;
let older: Awaited<ReturnType<typeof openFlood>>;
beforeAll(async () => {
  road = await openRoad();
  // its sockets and its TCP connections exist before Culvert does anything
  older = await openFlood(road.laptop, early, seconds);
  await connect(road);
});
afterAll(() => road.close());

test("P1 sockets opened before connecting send nothing beside the tunnel", async () => {
  const since = Date.now();
  older.go();
  const report = await older.done;
  const home = await road.home.look(road.allowed, since);
  expectNothingBeside({ report, home, second: { counts: { ...home.counts, beside: 0 }, beside: [] } }, early, seconds);
});

const floods: Readonly<Record<string, readonly Stream[]>> = {
  "P1 plain sockets": everything(),
  "P1 sockets bound to the uplink": everything({ device: uplink }),
  "P1 sockets that name the uplink by IP_UNICAST_IF": everything({ unicastIf: uplink }),
  "P1 datagrams that name the uplink by PKTINFO": everything({ pktinfo: uplink }),
  "P1 sockets bound to the outside address": everything({ source: places.laptop.ipv4 }).filter((s) =>
    s.name.endsWith("4"),
  ),
  "P1 raw frames": rawFrames(),
  "P1 source-routed packets": sourceRouted(),
  "P1 multicast": multicast(),
};

test.each(Object.entries(floods))("%s send nothing beside the tunnel", async (_name, streams) => {
  await holdsUnderFlood(road, undefined, streams, seconds);
});

test("P1 and the flood of plain sockets arrives through the node", async () => {
  const before = road.lab.events("web", "visit").length;
  await road.laptop.exec(["curl", "-s", "-m", "5", `http://${places.web.ipv4}/json`]);
  const visit = road.lab.events("web", "visit").slice(before).at(-1);
  expect(visit?.["from"]).toBe(road.node.address4);
});
