// K6, P1: a node that carries no IPv6, and a policy that wants none: not a frame of it goes beside, and IPv4 goes on.
import { afterEach, expect, test } from "vitest";

import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { connect, holdsUnderFlood, openConnected, openRoad, type Road, seenAs, throughNode } from "./road.ts";

const { laptop, web } = places;
let road: Road | undefined;
afterEach(async () => {
  await road?.close();
  road = undefined;
});

test("P1 a node without IPv6: nothing of it beside, refused at once, and the status says that it is blocked", async () => {
  road = await openConnected({ cities: ["Kestrel Bay"], control: [] });
  expect(road.node.inside6).toBe(null);
  expect((await road.culvert.status()).ipv6).toBe("blocked");
  await refusedAtOnce(road);
  await holdsUnderFlood(road, undefined, [...everything(), ...everything({ device: laptop.uplink }, "bound ", 300)]);
  await throughNode(road);
});

test("P1 IPv6 set to block: nothing of it beside, also not in the tunnel", async () => {
  road = await openConnected({ policy: { ipv6: "block" }, control: [] });
  expect(road.node.inside6).not.toBe(null);
  await refusedAtOnce(road);
  await holdsUnderFlood(road);
  await throughNode(road);
});

test("P1 a machine with IPv6 switched off connects all the same: nothing of it beside, and the status says so", async () => {
  road = await openRoad({ control: [] });
  await road.laptop.exec("sysctl -qw net.ipv6.conf.all.disable_ipv6=1");
  await connect(road);
  expect((await road.culvert.status()).ipv6).toBe("absent");
  await refusedAtOnce(road);
  // who has the right to may switch it on for a link of its own: what it sends then is not in the tunnel's plan
  await road.laptop.exec(`sysctl -qw net.ipv6.conf.${laptop.uplink}.disable_ipv6=0`);
  await holdsUnderFlood(road);
  await throughNode(road);
});

/** A program that tries IPv6 first goes on to IPv4 without waiting. */
async function refusedAtOnce({ laptop: machine }: Road): Promise<void> {
  const began = Date.now();
  expect(await seenAs(machine, web.ipv6)).toBe("");
  expect(Date.now() - began).toBeLessThan(1000);
}
