// P5: what a rule sends direct goes out of the uplink in the open and arrives; its neighbours do not.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { PolicyRule } from "../../helper/contract/policy.ts";
import { parsePrefix, type Prefix } from "../../helper/contract/prefix.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { holdsUnderFlood, openConnected, type Road, seenAs } from "./road.ts";

const { backup, news } = places;
const prefixes = [backup.ipv4, backup.ipv6]
  .map((address) => parsePrefix(address))
  .filter((p): p is Prefix => p !== undefined);
const blocked = parsePrefix(news.ipv4);
const rules: PolicyRule[] = [
  { id: "backup", name: "Backup", match: { destination: prefixes }, lane: "direct" },
  { id: "news", name: "News", match: { destination: blocked === undefined ? [] : [blocked] }, lane: "block" },
];

let road: Road;
beforeAll(async () => {
  road = await openConnected({ policy: { rules }, allowed: { direct: prefixes } });
});
afterAll(() => road.close());

test("P5 a direct prefix arrives with the outside address, over both families", async () => {
  expect(await seenAs(road.laptop, backup.ipv4)).toBe(places.home.ipv4);
  expect(await seenAs(road.laptop, backup.ipv6)).toMatch(/^2001:db8:73:/);
});

test("P5 everything else arrives through the node, a blocked address not at all", async () => {
  expect(await seenAs(road.laptop, places.web.ipv4)).toBe(road.node.address4);
  expect(await seenAs(road.laptop, places.web.ipv6)).toBe(road.node.address6);
  expect(await seenAs(road.laptop, news.ipv4)).toBe("");
});

test("P5 under flood only the direct prefix leaves in the open", async () => {
  const toBackup = everything().map((s) =>
    "to" in s ? { ...s, name: `direct-${s.name}`, to: s.to.includes(":") ? backup.ipv6 : backup.ipv4 } : s,
  );
  const named = new Set(["direct-dns-udp4", "direct-dns-udp6", "direct-dns-tcp4", "direct-dns-tcp6"]);
  const streams = [...everything(), ...toBackup.filter((s) => !named.has(s.name))];
  const { home } = await holdsUnderFlood(road, undefined, streams, 2);
  expect(home.counts.direct).toBeGreaterThan(4000);
});
