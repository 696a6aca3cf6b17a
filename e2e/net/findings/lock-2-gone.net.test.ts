// Found by p8-lock-inet, both with lock 2 alone removed:
//
// - A socket bound to the uplink makes every IPv4 address a neighbour (kernel finding B), and the machine asked the whole
//   link for the addresses of the flood by ARP. The egress chain names whom ARP may ask for.
// - `ip option` in a netdev egress chain does not match on Linux 6.18 (inferred: nft_exthdr_ipv4_eval reads from the start of
//   the skb, which at egress is the Ethernet header). IPv4 source routes by way of an approved LAN host (they need
//   CAP_NET_RAW) were held by lock 2 alone, and raw frames by nothing. The egress chain asks for the header's length.
import { afterAll, beforeAll, expect, test } from "vitest";

import { tableName } from "../../../helper/plan/numbers.ts";
import { sourceRouted, sourceRoutedFrames } from "../../lab/evasions.ts";
import { everything } from "../../lab/flood.ts";
import { places } from "../../lab/places.ts";
import { expectNothingBeside, openConnected, type Road, underFlood } from "../road.ts";

let road: Road;
beforeAll(async () => {
  road = await openConnected({ control: [] });
  await road.culvert.kill();
  await road.laptop.exec(`nft delete table inet ${tableName}`);
});
afterAll(() => road.close());

test("P1 lock 2 gone: nobody on the link is asked by ARP for an address of the world", async () => {
  const since = Date.now();
  await underFlood(road, everything({ device: places.laptop.uplink }), 2);
  const asked = (await road.home.frames(since)).flatMap(({ net }) => (net?.kind === "arp" ? [net.target] : []));
  expect(asked.filter((target) => !target.startsWith("10.40.0."))).toEqual([]);
});

test("P1 lock 2 gone: source routes by a LAN host send nothing beside, as packets and as raw frames", async () => {
  const streams = [...sourceRouted(), ...sourceRoutedFrames()];
  expectNothingBeside(await underFlood(road, streams, 1), streams, 1);
});
