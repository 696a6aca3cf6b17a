// P4: the printer is there while policy allows the LAN, and is not when it does not; never through a gateway.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Stream } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { basePolicy, expectNothingBeside, holdsUnderFlood, openConnected, type Road, underFlood } from "./road.ts";

const { printer } = places;
const streams: readonly Stream[] = [printer.ipv4, printer.ipv6].flatMap((to): Stream[] => [
  { name: `udp-${to}`, kind: "udp", to, port: 9, rate: 1000 },
  { name: `tcp-${to}`, kind: "connect", to, port: 9100, rate: 1000 },
  { name: `echo-${to}`, kind: "echo", to, rate: 1000 },
]);

let road: Road;
beforeAll(async () => {
  road = await openConnected();
});
afterAll(() => road.close());

test("P4 allowed: its page opens over both families, a page is printed, and those frames are on the LAN", async () => {
  for (const host of [printer.ipv4, `[${printer.ipv6}]`]) {
    const page = await road.laptop.exec(["curl", "-s", "-m", "5", `http://${host}/`]);
    expect(page.stdout).toContain("printer");
  }
  await road.laptop.exec(["bash", "-c", `printf 'a page\\n' > /dev/tcp/${printer.ipv4}/9100`]);
  const job = await until("the page is printed", () => road.lab.events("printer", "printed").at(-1));
  expect(job["from"]).toBe(places.laptop.ipv4);
  const { home } = await holdsUnderFlood(road, undefined, streams, 2);
  expect(home.counts.lan).toBeGreaterThan(1000);
});

test("P4 not allowed: nothing reaches it, and nothing leaves for it", async () => {
  await road.culvert.setPolicy({ ...basePolicy, lan: { allow: false, approved: [] } });
  const page = await road.laptop.exec(["curl", "-s", "-m", "2", `http://${printer.ipv4}/`], { mayFail: true });
  expect(page.code).not.toBe(0);
  const strict = { ...road, allowed: { ...road.allowed, lan: [] } };
  expectNothingBeside(await underFlood(strict, streams, 2), streams, 2);
});
