// The helper's own watch of the wire in ordinary life: it sees frames and counts none of them as beside. That it counts what
// is beside is tried frame by frame in helper/kernel/wire.net.test.ts; with a helper that runs, nothing gets that far here.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { HelperEvent } from "../../helper/contract/message.ts";
import { askHelper } from "../bench/ask.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { connect, openConnected, type Road, seenAs } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected({ control: [] });
});
afterAll(() => road.close());

test("P1 pages, the LAN and twenty connections: the watch sees frames and none beside", async () => {
  for (let round = 0; round < 20; round++) {
    expect((await road.culvert.cli("down")).code).toBe(0);
    await connect(road);
  }
  expect(await seenAs(road.laptop, places.web.ipv6)).toBe(road.node.address6);
  await road.laptop.exec(["curl", "-s", "-m", "5", `http://${places.printer.ipv4}/`]);
  const wire = await nextWire((one) => one.seen > 20);
  // past the moment in which what was let out before connecting may still be under way
  const later = await nextWire((one) => one.seen > wire.seen);
  expect(later).toEqual({ seen: later.seen, beside: 0 });
});

async function nextWire(wanted: (wire: { seen: number; beside: number }) => boolean) {
  const asker = await askHelper(road.laptop);
  let last: { seen: number; beside: number } | undefined;
  asker.onEvent((event: HelperEvent) => {
    if (event.event === "traffic" && event.data.wire !== null) last = event.data.wire;
  });
  await asker.ask("subscribe", {});
  try {
    return await until("traffic with a watched wire", async () => (last && wanted(last) ? last : undefined), 15_000);
  } finally {
    asker.close();
  }
}
