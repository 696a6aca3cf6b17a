// P5 and P9: two users flood the same hosts and are kept apart, while the policy stands and while it changes its mode and
// the order of its rules: in none of the policies, and in no step between them, is what is for the tunnel seen in the open.
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { Lane, PolicyMatch, PolicyRule } from "../../helper/contract/policy.ts";
import { prefixSchema } from "../../helper/contract/prefix.ts";
import { asUser, hasUser } from "../lab/account.ts";
import { openFlood, type Stream } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { basePolicy, openConnected, type Road, throughNode } from "./road.ts";
import { both, inTheOpen } from "./ways.ts";

const script = fileURLToPath(new URL("policy-loop.ts", import.meta.url));
const { web } = places;
const [anna, boris] = [1001, 1002];
const rule = (id: string, match: PolicyMatch, lane: Lane): PolicyRule => ({ id, name: id, match, lane });
const rate = 1000;

/** anna's datagrams and connections go to port 9, boris's to port 7, so that a frame tells whose it is. */
function streamsTo(port: number): readonly Stream[] {
  return [web.ipv4, web.ipv6].flatMap((to): Stream[] => [
    { name: `udp ${to}`, kind: "udp", to, port, rate, fresh: true },
    { name: `tcp ${to}`, kind: "connect", to, port, rate },
  ]);
}

let road: Road;
let accounts: boolean;
beforeAll(async () => {
  road = await openConnected({ control: [] });
  accounts = await hasUser(road.laptop, boris);
});
afterAll(() => road.close());

/** Both flood for so long; gives how many frames of each were seen in the open. */
async function twoFloods(seconds: number, during: () => Promise<void> = async () => undefined) {
  const theirs = await openFlood(asUser(road.laptop, anna), streamsTo(9), seconds);
  const others = await openFlood(asUser(road.laptop, boris), streamsTo(7), seconds);
  const since = Date.now();
  theirs.go();
  others.go();
  await during();
  const tried = [await theirs.done, await others.done].map((report) =>
    Math.min(...Object.values(report).map((r) => r.sent + Object.values(r.refused).reduce((sum, n) => sum + n, 0))),
  );
  expect(Math.min(...tried)).toBeGreaterThan(0.5 * rate * seconds);
  const seen = async (port: number): Promise<number> => {
    const kinds = [...both("udp", web, { port }), ...both("connect", web, { port })];
    const frames = await Promise.all(kinds.map((probe) => inTheOpen(road, probe, since)));
    return frames.reduce((sum, one) => sum + one.length, 0);
  };
  return { anna: await seen(9), boris: await seen(7) };
}

test("P5 one user's flood goes direct and another's by the node, to the same hosts at the same time", async (context) => {
  if (!accounts) return context.skip("one account only");
  await road.culvert.setPolicy({ ...basePolicy, rules: [rule("boris", { users: [boris] }, "direct")] });
  const but = await twoFloods(2);
  expect(but.anna).toBe(0);
  expect(but.boris).toBeGreaterThan(2000);
  await road.culvert.setPolicy({ ...basePolicy, mode: "only", rules: [rule("anna", { users: [anna] }, "tunnel")] });
  const only = await twoFloods(2);
  expect(only.anna).toBe(0);
  expect(only.boris).toBeGreaterThan(2000);
});

test("P9 mode and rules change many times under flood: what every policy sends into the tunnel is never in the open", async (context) => {
  if (!accounts) return context.skip("one account only");
  const theirs = rule("anna", { users: [anna] }, "tunnel");
  const port = rule("port", { ports: [{ from: 9, to: 9 }] }, "tunnel");
  const host = rule("host", { destination: [web.ipv4, web.ipv6].map((a) => prefixSchema.parse(a)) }, "direct");
  const policies = [
    { ...basePolicy, mode: "only", rules: [theirs, host] },
    { ...basePolicy, mode: "everything", rules: [theirs, host] },
    { ...basePolicy, mode: "only", rules: [port] },
    { ...basePolicy, mode: "everything", rules: [port, host] },
    basePolicy,
  ];
  const seconds = 8;
  let changes = 0;
  const seen = await twoFloods(seconds, async () => {
    const loop = await road.laptop.exec([process.execPath, script, String(seconds - 2), JSON.stringify(policies)]);
    changes = (JSON.parse(loop.stdout) as { changes: number }).changes;
  });
  expect(changes, "policies saved under flood").toBeGreaterThan(8);
  expect(seen.anna).toBe(0);
  expect(seen.boris).toBeGreaterThan(500);
  await road.culvert.setPolicy(basePolicy);
  await throughNode(road);
});
