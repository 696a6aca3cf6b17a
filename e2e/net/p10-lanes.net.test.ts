// P10: what others send through this machine is held to the lanes of its rules: two containers with the same destination
// take different ways by their source, and so does a LAN host that has this machine as its gateway.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Lane, Policy, PolicyMatch, PolicyRule } from "../../helper/contract/policy.ts";
import { prefixSchema } from "../../helper/contract/prefix.ts";
import { openContainer } from "../lab/container.ts";
import { everything } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { basePolicy, expectNothingBeside, openConnected, type Road, underFlood } from "./road.ts";
import { both, expectWays, type Sender } from "./ways.ts";

const { home, laptop, news, printer, web } = places;
const prefixes = (...of: readonly string[]) => of.map((prefix) => prefixSchema.parse(prefix));
const rule = (id: string, match: PolicyMatch, lane: Lane): PolicyRule => ({ id, name: id, match, lane });

let road: Road;
let two: Sender;
let three: Sender;
beforeAll(async () => {
  road = await openConnected({ control: [] });
  const masqueraded = [`${laptop.ipv4}/32`, home.prefix6];
  two = { machine: await openContainer(road.laptop, 2), sources: masqueraded };
  three = { machine: await openContainer(road.laptop, 3), sources: masqueraded };
});
afterAll(() => road.close());

const lay = (mode: Policy["mode"], ...rules: PolicyRule[]) => road.culvert.setPolicy({ ...basePolicy, mode, rules });
const ofTwo = { source: prefixes("10.88.0.2/32", "fd88::2/128") };
const toWeb = [...both("udp", web), ...both("connect", web)];

test("P10 everything but one container: it goes direct, the other and the machine itself by the node", async () => {
  await lay("everything", rule("two", ofTwo, "direct"));
  await expectWays(road, { direct: toWeb }, two);
  await expectWays(road, { tunnel: toWeb }, three);
  await expectWays(road, { tunnel: toWeb });
});

test("P10 only one container: it goes by the node, the other and the machine itself direct", async () => {
  await lay("only", rule("two", ofTwo, "tunnel"));
  await expectWays(road, { tunnel: toWeb }, two);
  await expectWays(road, { direct: toWeb }, three);
  await expectWays(road, { direct: toWeb });
});

test("P10 source, address and port together; the first rule decides", async () => {
  const udp = rule("udp", { ...ofTwo, protocol: "udp", ports: [{ from: 9, to: 9 }] }, "block");
  const all = rule("all", { destination: prefixes(web.ipv4, web.ipv6) }, "direct");
  await lay("everything", udp, all);
  await expectWays(road, { lost: both("udp", web), direct: both("connect", web), tunnel: both("connect", news) }, two);
  await expectWays(road, { direct: toWeb, tunnel: both("udp", news) }, three);
  await lay("everything", all, udp);
  await expectWays(road, { direct: toWeb, lost: both("udp", news) }, two);
});

test("P10 a user's rule is about this machine's users: what is forwarded has none", async () => {
  await lay("everything", rule("root", { users: [0] }, "direct"));
  await expectWays(road, { tunnel: toWeb }, two);
  await expectWays(road, { direct: toWeb });
});

test("P10 under flood nothing of the other container goes beside", async () => {
  await lay("everything", rule("two", ofTwo, "direct"));
  const streams = everything();
  expectNothingBeside(await underFlood({ ...road, laptop: three.machine }, streams, 2), streams, 2);
  // and of the direct one only what is for no name server
  const direct = { ...road, laptop: two.machine, allowed: { ...road.allowed, direct: [web.ipv4, web.ipv6].map(host) } };
  const outcome = await underFlood(direct, streams, 2);
  expectNothingBeside(outcome, streams, 2);
  expect(outcome.home.counts.direct).toBeGreaterThan(4000);
});

test("P10 a LAN host that has this machine as its gateway is forwarded only where everything else is, and can be blocked", async () => {
  const client: Sender = { machine: road.lab.machine("printer"), sources: [`${printer.ipv4}/32`] };
  await client.machine.exec(`ip route replace default via ${laptop.ipv4} dev eth0`);
  const four = [{ kind: "udp", to: web.ipv4 } as const];
  await lay("everything");
  await expectWays(road, { lost: four }, client);
  await lay("only");
  await expectWays(road, { direct: four }, client);
  await lay("only", rule("printer", { source: prefixes(printer.ipv4) }, "block"));
  await expectWays(road, { lost: four }, client);
});

const host = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;
