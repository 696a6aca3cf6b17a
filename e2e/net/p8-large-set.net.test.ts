// P8: the uplink changes under a set of thousands of direct prefixes and under flood. What leads the set moves at once, behind
// the gate that stands; of the rest nothing goes beside, on neither uplink, and direct packets arrive by the new one.
import { readFileSync } from "node:fs";

import { afterAll, beforeAll, expect, test } from "vitest";

import { parsePrefix, type Prefix } from "../../helper/contract/prefix.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { holdsUnderFlood, openConnected, type Road, seenAs, throughNode } from "./road.ts";

const { backup, second } = places;
const prefixes = [backup.ipv4, ...Array.from({ length: 2000 }, (_, i) => `198.18.${i >> 7}.${(i & 127) * 2}/32`)]
  .map((text) => parsePrefix(text))
  .filter((p): p is Prefix => p !== undefined);

let road: Road;
beforeAll(async () => {
  road = await openConnected({
    policy: { rules: [{ id: "many", name: "Many", match: { destination: prefixes }, lane: "direct" }] },
    allowed: { direct: prefixes },
  });
});
afterAll(() => road.close());

test("P8 a set of thousands follows a better uplink and comes back, and nothing else leaves by either", async () => {
  const { lab, laptop, culvert } = road;
  expect(await seenAs(laptop, backup.ipv4)).toBe(places.home.ipv4);
  const toBackup = { name: "to the backup", to: backup.ipv4, kind: "udp", port: 9, rate: 500 } as const;
  // the hotspot hides the laptop's address behind its own
  const arrivesBy = (uplink: string) =>
    until(`a page comes from the backup by ${uplink}`, async () => {
      const way = await laptop.exec(["ip", "route", "get", backup.ipv4]);
      const seen = await seenAs(laptop, backup.ipv4);
      const home = seen === places.home.ipv4;
      return way.stdout.includes(`dev ${uplink} `) && seen !== "" && home === (uplink !== second.uplink)
        ? true
        : undefined;
    });
  await holdsUnderFlood(
    road,
    async () => {
      await lab.wire("second").plug("laptop");
      await laptop.exec(
        `ip link set ${second.uplink} up
         ip addr add ${second.ipv4}/24 dev ${second.uplink}
         ip route add default via ${second.gateway} dev ${second.uplink} proto dhcp metric 0`,
      );
      await arrivesBy(second.uplink);
      await laptop.exec(`ip route del default via ${second.gateway} dev ${second.uplink}`);
      await arrivesBy(places.laptop.uplink);
    },
    [...everything(), toBackup],
    6,
  );
  await throughNode(road);
  expect(readFileSync(culvert.log, "utf8").match(/led by the new uplink/g)?.length).toBeGreaterThan(1);
});
