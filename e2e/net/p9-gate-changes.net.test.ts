// P9: the gate is changed 10,000 times under flood, by the addon's own transactions, each filling one chain anew. A gate that is open for an instant (kernel finding A) would show here.
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { rawFrames } from "../lab/evasions.ts";
import { everything, openFlood } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { openConnected, type Road } from "./road.ts";

const changes = 10_000;
const script = fileURLToPath(new URL("gate-loop.ts", import.meta.url));

let road: Road;
beforeAll(async () => {
  road = await openConnected();
  // an owned table takes orders from its owner alone; the loop adopts it as a new helper would
  await road.culvert.kill();
});
afterAll(() => road.close());

test("P9 the gate is changed 10,000 times under flood: nothing beside", async () => {
  // bound to the uplink, and raw: only the gate stands before them
  const streams = [...everything({ device: places.laptop.uplink }), ...rawFrames()];
  const running = await openFlood(road.laptop, streams, 120);
  const since = Date.now();
  running.go();
  const loop = await road.laptop.exec([process.execPath, script, String(changes)], { timeoutMs: 100_000 });
  const report = await running.stop();
  const done = JSON.parse(loop.stdout) as { changes: number; tookMs: number };
  const tried = Object.values(report).map((r) => r.sent + Object.values(r.refused).reduce((sum, n) => sum + n, 0));
  const seen = await road.home.look(road.allowed, since);
  expect(done.changes).toBe(changes);
  expect(Math.min(...tried), "each stream's packets while the gate changed").toBeGreaterThan(done.tookMs / 2);
  expect(seen.beside).toEqual([]);
});
