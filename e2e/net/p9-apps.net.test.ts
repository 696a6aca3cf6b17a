// P9: rules by program change again and again while two programs flood the same hosts with new sockets: one is for the tunnel
// by every policy, the other is sent direct, into the tunnel, or blocked by turns. In no policy, and in no step between two of
// them, is the first seen in the open. In the long run (npm test -- forms) for a minute and a half.
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { App, Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import { openFlood, type Stream } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { asProgram, makeCgroup, makeProgram, removeCgroup } from "../lab/program.ts";
import { basePolicy, openConnected, type Road, throughNode } from "./road.ts";
import { both, inTheOpen } from "./ways.ts";

const script = fileURLToPath(new URL("policy-loop.ts", import.meta.url));
const { web } = places;
const rate = 500;
const seconds = process.env["CULVERT_LONG"] === "1" ? 90 : 10;

let cgroup: string;
let road: Road;
let held: string;
let other: string;
beforeAll(async () => {
  cgroup = makeCgroup();
  road = await openConnected({ control: [], cgroup });
  held = makeProgram(road.lab, "held");
  other = makeProgram(road.lab, "other");
});
afterAll(async () => {
  await road.close();
  removeCgroup(cgroup);
});

const rule = (path: string, lane: Lane): PolicyRule => {
  const app: App = { kind: "executable", path };
  return { id: lane, name: lane, match: { apps: [app] }, lane };
};

/** The port says in each frame whose it is; every datagram and connection comes from a socket of its own. */
function streamsTo(port: number): readonly Stream[] {
  return [web.ipv4, web.ipv6].flatMap((to): Stream[] => [
    { name: `udp ${to}`, kind: "udp", to, port, rate, fresh: true },
    { name: `tcp ${to}`, kind: "connect", to, port, rate },
  ]);
}

test("P9 rules by program change many times under flood: what every one of them sends into the tunnel is never in the open", async () => {
  const change = (mode: Policy["mode"], ...rules: PolicyRule[]): Policy => ({ ...basePolicy, mode, rules });
  const policies = [
    change("everything", rule(held, "tunnel"), rule(other, "direct")),
    change("only", rule(held, "tunnel")),
    change("everything", rule(other, "block"), rule(held, "tunnel")),
    change("only", rule(held, "tunnel"), rule(other, "block")),
    change("everything", rule(held, "tunnel")),
  ];
  // a process is known by what was executed since a rule named its program, so each of them names it
  await road.culvert.setPolicy(change("only", rule(held, "tunnel"), rule(other, "direct")));
  const since = Date.now();
  const theirs = await openFlood(asProgram(road.laptop, held, cgroup), streamsTo(9), seconds + 20);
  const others = await openFlood(asProgram(road.laptop, other, cgroup), streamsTo(7), seconds + 20);
  theirs.go();
  others.go();
  const argv = [process.execPath, script, String(seconds), JSON.stringify(policies)];
  const loop = await road.laptop.exec(argv, { timeoutMs: (seconds + 15) * 1000 });
  const report = await theirs.stop();
  await others.stop();
  const { changes } = JSON.parse(loop.stdout) as { changes: number };
  const tried = Object.values(report).map((r) => r.sent + Object.values(r.refused).reduce((sum, n) => sum + n, 0));
  process.stdout.write(`rules by program: ${changes} changes under flood\n`);
  expect(changes).toBeGreaterThan(seconds / 2);
  expect(Math.min(...tried), "each stream's packets while the rules changed").toBeGreaterThan(0.5 * rate * seconds);
  const seen = async (port: number): Promise<number> => {
    const kinds = [...both("udp", web, { port }), ...both("connect", web, { port })];
    const frames = await Promise.all(kinds.map((probe) => inTheOpen(road, probe, since)));
    return frames.reduce((sum, one) => sum + one.length, 0);
  };
  expect(await seen(9)).toBe(0);
  expect(await seen(7)).toBeGreaterThan(rate);
  await road.culvert.setPolicy(basePolicy);
  await throughNode(road);
});
