// The control run: without Culvert the watcher sees every stream of every flood leave beside a tunnel that is not there.
// A packet test that counts zero is worth something only because this one does not.
import { afterAll, beforeAll, expect, test } from "vitest";

import { everything, flood, floodRate, longOpen, type Stream } from "../lab/flood.ts";
import { internet } from "../lab/internet.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import { multicast, rawFrames, sourceRouted, sourceRoutedFrames } from "../lab/evasions.ts";
import { places } from "../lab/places.ts";
import { watch } from "../lab/watcher.ts";
import { offline } from "./allowed.ts";

const uplink = places.laptop.uplink;
const seconds = 2;

let lab: Lab;
beforeAll(async () => {
  lab = await openLab(internet({ cities: ["Harbourton"] }));
});
afterAll(() => lab.close());

const floods: Readonly<Record<string, readonly Stream[]>> = {
  "plain sockets": everything(),
  "sockets bound to the uplink": everything({ device: uplink }, "bound-"),
  "sockets that name the uplink by IP_UNICAST_IF": everything({ unicastIf: uplink }, "unicast-"),
  "datagrams that name the uplink by PKTINFO": everything({ pktinfo: uplink }, "pktinfo-"),
  "sockets opened before": longOpen(),
  "raw frames": rawFrames(),
  "source-routed packets": [...sourceRouted(), ...sourceRoutedFrames()],
  multicast: multicast(),
};

test.each(Object.entries(floods))("control: the watcher sees %s leave", async (_name, streams) => {
  const watcher = watch(lab, "home", "laptop");
  const since = Date.now();
  const report = await flood(lab.machine("laptop"), streams, seconds);
  const { counts, beside } = await watcher.look(offline, since);
  for (const stream of streams) {
    expect(report[stream.name]?.refused, stream.name).toEqual({});
    expect(report[stream.name]?.sent, stream.name).toBeGreaterThan(0.8 * stream.rate * seconds);
  }
  const sent = Object.values(report).reduce((sum, one) => sum + one.sent, 0);
  expect(sent).toBeGreaterThan(0.8 * floodRate * seconds);
  // a TCP connection that stands joins small writes into fewer segments; everything else is a frame each
  const framed = Object.entries(report).filter(([name]) => !name.startsWith("open-tcp"));
  const owed = framed.reduce((sum, [, one]) => sum + one.sent, 0);
  // on busy cores some wait for the router's hardware address in a queue that is too short for them
  expect(counts.beside, beside.slice(0, 5).join("\n")).toBeGreaterThan(0.8 * owed);
});
