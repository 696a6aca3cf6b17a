// P8, X3: a program that will not let what is ours stand. Laid again a few times, then no more than twice a second, locked, and
// said so with its name; nothing leaves beside, neither while both fight nor after.
import { afterAll, beforeAll, expect, test } from "vitest";

import { everything, openFlood } from "../lab/flood.ts";
import { onSecond } from "./allowed.ts";
import { basePolicy, openConnected, type Road, throughNode } from "./road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

/** Our catch-all, in the own table or in main. */
const catchAll = {
  table: "ip rule del pref 4900",
  metric: "ip route del default dev culvert0",
  halves: "ip route del 0.0.0.0/1 dev culvert0",
  eighths: "ip route del 1.0.0.0/8 dev culvert0",
}[basePolicy.form];

/** Takes our catch-all away wherever it finds it, and puts up a default of its own; tells when (Unix milliseconds). */
const manager = (seconds: number): string => `
  end=$(( $(date +%s) + ${seconds} ))
  while [ "$(date +%s)" -lt "$end" ]; do
    if ${catchAll} 2>/dev/null; then
      date +%s%3N
      ip route replace default via 10.40.0.1 proto static metric 50
    fi
    sleep 0.02
  done`;

test("P8 two managers: ours gives way into the lock, names the other, and does not fight on", async () => {
  const seconds = 12;
  const running = await openFlood(road.laptop, everything(), seconds + 10);
  const since = Date.now();
  running.go();
  const fighting = road.laptop.exec(["sh", "-c", manager(seconds)], { timeoutMs: 60_000 });
  const { state } = await road.culvert.waitFor(["locked"], seconds * 1000);
  expect(state).toMatchObject({ kind: "locked", cause: "fight" });
  const lockedAt = Date.now();
  const taken = (await fighting).stdout.split("\n").filter(Boolean).map(Number);
  const after = taken.filter((at) => at > lockedAt).length;
  // laid again at most twice a second; the quarter second of the last visit may hold more
  expect(taken.length - after).toBeGreaterThan(5);
  expect(after).toBeLessThan((2 * (Date.now() - lockedAt)) / 1000 + 5);
  await running.stop();
  const home = await road.home.look(road.allowed, since);
  const second = await road.second.look(onSecond(road.allowed), since);
  expect({ home: home.beside, second: second.beside }).toEqual({ home: [], second: [] });
  const { drift } = await road.culvert.status();
  expect(drift.filter((d) => d.author?.includes("ip, started by sh")).length).toBeGreaterThan(0);
});

test("P8 when the other has gone the person connects again", async () => {
  const up = await road.culvert.cli("up", road.node.city);
  expect(up).toMatchObject({ code: 0 });
  await throughNode(road);
});
