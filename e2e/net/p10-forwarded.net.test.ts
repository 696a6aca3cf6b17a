// P10: a container on the laptop (a namespace behind a bridge with masquerade, as container engines make it) is held to the
// same lanes: it arrives through the node, and under flood nothing of it goes beside.
import { afterAll, beforeAll, expect, test } from "vitest";

import { everything } from "../lab/flood.ts";
import { machineOf } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { firstLine } from "../lab/process.ts";
import { expectNothingBeside, openConnected, type Road, seenAs, underFlood } from "./road.ts";

let road: Road;
let container: Road["laptop"];
beforeAll(async () => {
  road = await openConnected();
  const holder = road.laptop.spawn(["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"]);
  await firstLine(holder, (line) => line === "ready", "a container");
  container = machineOf("container", holder.pid ?? 0);
  await road.laptop.exec(
    `ip link add br0 type bridge && ip addr add 10.88.0.1/24 dev br0 && ip link set br0 up
     ip link add veth0 type veth peer name eth0 netns ${holder.pid}
     ip link set veth0 master br0 up
     sysctl -qw net.ipv4.ip_forward=1
     nft add table ip container
     nft add chain ip container post '{ type nat hook postrouting priority 100; }'
     nft add rule ip container post ip saddr 10.88.0.0/24 oifname != br0 masquerade`,
  );
  await container.exec(
    `ip link set lo up; ip link set eth0 up; ip addr add 10.88.0.2/24 dev eth0; ip route add default via 10.88.0.1`,
  );
});
afterAll(() => road.close());

test("P10 a container's flood: nothing beside", async () => {
  const streams = everything().filter((stream) => stream.name.endsWith("4"));
  const outcome = await underFlood({ ...road, laptop: container }, streams, 3);
  expectNothingBeside(outcome, streams, 3);
});

test("P10 a container's page comes through the node, or not at all", async () => {
  expect([road.node.address4, ""]).toContain(await seenAs(container, places.web.ipv4));
});
