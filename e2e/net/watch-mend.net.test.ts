// P8, X3: what another program takes away of ours is back before a person could notice, nothing leaves beside meanwhile, and
// the status says who did it.
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { everything, openFlood } from "../lab/flood.ts";
import { until } from "../lab/process.ts";
import { ownTables } from "./own-tables.ts";
import { onSecond } from "./allowed.ts";
import { basePolicy, openConnected, type Road, throughNode } from "./road.ts";

const clock = fileURLToPath(new URL("mend-clock.ts", import.meta.url));
/** The aim is 50 ms on an idle machine; here a flood takes both processors. */
const longestMs = 2000;

// A form in main stands and falls with the rule that asks main, which is not ours to lay: without it nothing goes anywhere.
const inMain = basePolicy.form !== "table";
const one = inMain ? "ip route flush table main dev culvert0" : "ip rule del pref 4900";

describe.each([
  ["with an owned gate", true, inMain ? ["main", "address"] : ["rule", "rules", "routes", "address"]],
  ["without an owner, as on kernels before 6.9", false, inMain ? ["main", "ruleset"] : ["rules", "ruleset"]],
] as const)("%s", (_name, owner, ways) => {
  let road: Road;
  beforeAll(async () => {
    road = await openConnected({ owner });
  });
  afterAll(() => road.close());

  test.each(ways)("P8 %s taken away: laid again at once, nothing beside, and named", async (way) => {
    const streams = everything();
    const running = await openFlood(road.laptop, streams, 60);
    const since = Date.now();
    running.go();
    const told = await road.laptop.exec([process.execPath, clock, "1", way]);
    await running.stop();
    const [home, second] = [
      await road.home.look(road.allowed, since),
      await road.second.look(onSecond(road.allowed), since),
    ];
    expect({ home: home.beside, second: second.beside }).toEqual({ home: [], second: [] });
    const [tookMs = Infinity] = Object.values(JSON.parse(told.stdout) as Record<string, number[]>).flat();
    expect(tookMs).toBeLessThan(longestMs);
    const { drift, state } = await road.culvert.status();
    expect(state.kind).toBe("connected");
    // who is gone before its name can be read, under a flood, is told without one; never by another's
    const mended = drift.filter((d) => d.mended && d.at >= since);
    expect(mended.length).toBeGreaterThan(0);
    const named = mended.filter((d) => d.author !== null).map((d) => d.author);
    expect(named.filter((name) => !/^(ip, started by sh|nft(, started by timeout)?)$/.test(name ?? ""))).toEqual([]);
    await throughNode(road);
  });

  test("P8 on a calm machine who did it is named", async () => {
    const since = Date.now();
    await road.laptop.exec(`${one}; sleep 0.1`);
    await until("a change by ip", async () => {
      const { drift } = await road.culvert.status();
      return drift.find((d) => d.mended && d.at >= since && d.author === "ip, started by sh");
    });
  });

  if (owner)
    test("P8 a flush of the whole ruleset by another program leaves the gate standing", async () => {
      await road.laptop.exec("timeout -s KILL 5 nft flush ruleset");
      expect(await ownTables(road.laptop)).toEqual(["inet", "netdev"]);
      await throughNode(road);
    });
});
