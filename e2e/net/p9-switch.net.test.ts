// P9, switching from node to node under flood: the gate never opens. A node that does not answer gives the first one back, and
// the person hears why. How long nothing came back is measured by a ping every 20 ms.
import { afterAll, beforeAll, expect, test } from "vitest";

import { nodeIn } from "../lab/internet.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { connectedTo } from "./allowed.ts";
import { holdsUnderFlood, openConnected, type Road, seenAs, throughNode } from "./road.ts";

const [first, second] = [nodeIn("Harbourton"), nodeIn("Lindal")];
const both = [first, second].map((node) => connectedTo(node));
let road: Road;
beforeAll(async () => {
  road = await openConnected({
    cities: [first.city, second.city],
    allowed: { engine: both.flatMap((a) => a.engine), inside: both.flatMap((a) => a.inside) },
  });
});
afterAll(() => road.close());

/** The longest time between two answers while something happens. */
async function longestGapMs(during: () => Promise<void>): Promise<number> {
  const ping = road.laptop.spawn(["ping", "-D", "-i", "0.02", places.web.ipv4]);
  const at: number[] = [];
  ping.stdout?.on("data", (chunk: Buffer) => {
    for (const [, stamp] of chunk.toString().matchAll(/^\[([\d.]+)\] \d+ bytes from/gm)) at.push(Number(stamp) * 1000);
  });
  const answers = (more: number) => {
    const from = at.length;
    return until("answers to pings", () => (at.length >= from + more ? true : undefined), 20_000);
  };
  await answers(10);
  await during();
  await answers(10);
  ping.kill("SIGKILL");
  return Math.max(...at.slice(1).map((stamp, i) => stamp - (at[i] ?? stamp)));
}

test("P9 under flood from one node to the other and back: nothing beside", async () => {
  for (const node of [second, first]) {
    await holdsUnderFlood(
      road,
      async () => {
        const up = await road.culvert.cli("up", node.city);
        expect(up.code, `${up.stdout}${up.stderr}`).toBe(0);
      },
      everything(),
      6,
    );
    await until("a page through the node", async () => (await seenAs(road.laptop)) === node.address4 || undefined);
  }
});

test("K10 how long nothing comes back while the node is changed", async () => {
  const gap = await longestGapMs(async () => {
    expect((await road.culvert.cli("up", second.city)).code).toBe(0);
  });
  // the far node's round trip, the handshake, closing and opening; measured on a loaded machine
  expect(gap).toBeLessThan(3000);
  process.stdout.write(`switching: nothing came back for ${Math.round(gap)} ms\n`);
  expect((await road.culvert.cli("up", first.city)).code).toBe(0);
  await throughNode(road);
});

test("P9 a node that does not answer: nothing beside, the first one is back, and it is said why", async () => {
  await road.lab.machine(second.machine).exec("ip link set wan0 down");
  let said = "";
  await holdsUnderFlood(
    road,
    async () => {
      const up = await road.culvert.cli("up", second.city, "--json");
      expect(up.code).not.toBe(0);
      said = up.stdout;
    },
    everything(),
    12,
  );
  expect(said).toContain("node.unreachable");
  const { state } = await road.culvert.waitFor(["connected"]);
  expect(state).toMatchObject({ kind: "connected", node: { name: first.city } });
  await throughNode(road);
});
