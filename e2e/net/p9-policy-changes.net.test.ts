// P9: the policy is changed again and again under flood: LAN on and off, a direct prefix, IPv6 carried and blocked. Each
// change closes, lays and opens; none lets a packet beside.
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { Policy } from "../../helper/contract/policy.ts";
import { parsePrefix } from "../../helper/contract/prefix.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { basePolicy, holdsUnderFlood, openConnected, type Road, throughNode } from "./road.ts";

const script = fileURLToPath(new URL("policy-loop.ts", import.meta.url));
const seconds = 8;
const direct = parsePrefix(places.backup.ipv4);
if (direct === undefined) throw new Error("not a prefix");
const policies: readonly Policy[] = [
  { ...basePolicy, lan: { allow: false, approved: [] } },
  { ...basePolicy, rules: [{ id: "backup", name: "Backup", match: { destination: [direct] }, lane: "direct" }] },
  { ...basePolicy, ipv6: "block" },
  basePolicy,
];

let road: Road;
beforeAll(async () => {
  road = await openConnected({ allowed: { direct: [direct] } });
});
afterAll(() => road.close());

test("P9 the policy changes many times under flood: nothing beside", async () => {
  let changes = 0;
  const argv = [process.execPath, script, String(seconds - 2), JSON.stringify(policies)];
  await holdsUnderFlood(
    road,
    async () => {
      const loop = await road.laptop.exec(argv);
      changes = (JSON.parse(loop.stdout) as { changes: number }).changes;
    },
    everything(),
    seconds,
  );
  expect(changes, "policies saved under flood").toBeGreaterThan(10);
  await road.culvert.setPolicy(basePolicy);
  await throughNode(road);
});
