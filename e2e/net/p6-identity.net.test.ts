// P6 and P7, the two identities: a welcomed service on the outside address answers outside callers by the uplink, and
// nothing else uses that gap; the inside address does not exist on the uplink (CVE-2019-14899), not even in ARP.
import { afterAll, beforeAll, expect, test } from "vitest";

import { udpFrame } from "../lab/craft.ts";
import { everything, flood } from "../lab/flood.ts";
import { labFile } from "../lab/machine.ts";
import { firstLine } from "../lab/process.ts";
import { places } from "../lab/places.ts";
import { holdsUnderFlood, openConnected, type Road } from "./road.ts";

const port = places.home.forwardedPort;
let road: Road;
let inside: string;
beforeAll(async () => {
  road = await openConnected({
    policy: { welcome: [{ protocol: "tcp", port, from: [] }] },
    allowed: { welcome: [{ protocol: "tcp", port }] },
  });
  inside = road.node.inside4.replace(/1$/, "2");
  const service = road.laptop.node(labFile("services/answer.ts"), [JSON.stringify({ port })]);
  await firstLine(service, (line) => line.includes('"listening"'), "the welcomed service");
});
afterAll(() => road.close());

test("P6 outside callers of the welcomed service are answered, over both families, by the uplink", async () => {
  const web = road.lab.machine("web");
  const six = (await road.laptop.exec(`ip -6 -br addr show dev ${places.laptop.uplink}`)).stdout;
  const own6 = /2001:db8:73:[0-9a-f:]+/.exec(six)?.[0] ?? "";
  for (const host of [places.home.ipv4, `[${own6}]`]) {
    const since = Date.now();
    const answer = await web.exec(["curl", "-s", "-m", "5", `http://${host}:${port}/`]);
    expect(answer.stdout).toContain("welcome");
    const { counts, beside } = await road.home.look(road.allowed, since);
    expect(beside).toEqual([]);
    expect(counts.reply).toBeGreaterThan(2);
  }
});

test("P6 a caller of a service that policy does not welcome is not answered", async () => {
  const since = Date.now();
  const router = road.lab.machine("router");
  await router.exec(`nft add rule inet lab pre iifname wan0 tcp dport 8080 dnat ip to ${places.laptop.ipv4}:8080`);
  const service = road.laptop.node(labFile("services/answer.ts"), [JSON.stringify({ port: 8080 })]);
  await firstLine(service, (line) => line.includes('"listening"'), "a service");
  const got = await road.lab
    .machine("web")
    .exec(["curl", "-s", "-m", "2", `http://${places.home.ipv4}:8080/`], { mayFail: true });
  expect(got.code).not.toBe(0);
  expect((await road.home.look(road.allowed, since)).beside).toEqual([]);
});

test("P6 sockets that claim the service's port and outside address send nothing beside", async () => {
  const way = { source: places.laptop.ipv4 };
  const streams = everything(way).filter((stream) => stream.name.endsWith("4"));
  await holdsUnderFlood(road, undefined, streams, 2);
});

test("P7 packets for the inside address on the uplink are not answered, and ARP for it neither", async () => {
  const since = Date.now();
  const printer = road.lab.machine("printer");
  const macs = { fromMac: "02:40:00:00:00:20", toMac: places.laptop.mac };
  const frames = [port, 80, 9].map((dport) =>
    udpFrame({ ...macs, source: places.printer.ipv4, destination: inside, port: dport }),
  );
  const streams = frames.map((hex, n) => ({ name: `p7-${n}`, kind: "frame", device: "eth0", hex, rate: 200 }) as const);
  await flood(printer, streams, 1);
  await printer.exec(`ip route add ${inside}/32 dev eth0`);
  const ping = await printer.exec(["ping", "-c", "2", "-W", "1", inside], { mayFail: true });
  const call = await printer.exec(["curl", "-s", "-m", "2", `http://${inside}:${port}/`], { mayFail: true });
  expect(ping.stdout).toContain("100% packet loss");
  expect(call.code).not.toBe(0);
  const answers = (await road.home.frames(since)).filter((frame) =>
    frame.net?.kind === "arp" ? frame.net.sender === inside : frame.net?.source === inside,
  );
  expect(answers).toEqual([]);
});
