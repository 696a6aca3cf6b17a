// P5: each thing that a rule can ask of a packet, alone, both ways round (everything but, only), over both families; what
// it does not ask for goes the other way. Who went where is told by the wires.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Lane, Policy, PolicyMatch, PolicyRule } from "../../helper/contract/policy.ts";
import { type Prefix, prefixSchema } from "../../helper/contract/prefix.ts";
import { asUser, hasUser } from "../lab/account.ts";
import { places } from "../lab/places.ts";
import { basePolicy, openConnected, type Road } from "./road.ts";
import { both, by, expectWays, type Probe } from "./ways.ts";

const { backup, home, news, web } = places;
const [anna, boris] = [1001, 1002];
const hosts = (...of: readonly string[]): Prefix[] => of.map((address) => prefixSchema.parse(address));

interface Case {
  readonly name: string;
  readonly match: PolicyMatch;
  readonly named: readonly Probe[];
  readonly others: readonly Probe[];
}

const cases: readonly Case[] = [
  {
    name: "address",
    match: { destination: hosts(web.ipv4, web.ipv6) },
    named: [...both("udp", web), ...both("connect", web), ...both("echo", web)],
    others: [...both("udp", news), ...both("connect", news), ...both("echo", news)],
  },
  {
    name: "protocol",
    match: { protocol: "icmp" },
    named: both("echo", web),
    others: [...both("udp", web), ...both("connect", web)],
  },
  {
    name: "protocol and port",
    match: { protocol: "udp", ports: [{ from: 9, to: 9 }] },
    named: [...both("udp", web), ...both("udp", news)],
    others: [...both("connect", web), ...both("udp", web, { port: 7 }), ...both("echo", web)],
  },
  {
    name: "a range of ports of any protocol",
    match: { ports: [{ from: 8, to: 79 }] },
    named: [...both("udp", web), ...both("connect", web)],
    others: [...both("udp", web, { port: 7 }), ...both("connect", web, { port: 80 }), ...both("echo", web)],
  },
  {
    name: "user",
    match: { users: [anna] },
    named: by(anna, [...both("udp", web), ...both("connect", web)]),
    others: [...by(boris, [...both("udp", web), ...both("connect", web)]), ...both("udp", web)],
  },
  {
    name: "user, address and port together",
    match: { users: [anna], destination: hosts(web.ipv4, web.ipv6), ports: [{ from: 9, to: 9 }] },
    named: by(anna, [...both("udp", web), ...both("connect", web)]),
    others: [
      ...by(anna, [...both("udp", news), ...both("udp", web, { port: 7 })]),
      ...by(boris, [...both("udp", web), ...both("connect", web)]),
    ],
  },
];

const rule = (id: string, match: PolicyMatch, lane: Lane): PolicyRule => ({ id, name: id, match, lane });

let road: Road;
let accounts: boolean;
beforeAll(async () => {
  road = await openConnected({ control: [] });
  accounts = await hasUser(road.laptop, boris);
});
afterAll(() => road.close());

const lay = (mode: Policy["mode"], ...rules: PolicyRule[]) => road.culvert.setPolicy({ ...basePolicy, mode, rules });
const possible = (probes: readonly Probe[]) => probes.filter((probe) => accounts || probe.uid === undefined);

describe.each(cases)("by $name", ({ match, named, others }) => {
  test("P5 everything but: direct as the machine itself, the rest by the node", async () => {
    await lay("everything", rule("one", match, "direct"));
    await expectWays(road, { direct: possible(named), tunnel: possible(others) });
  });

  test("P5 only: by the node, the rest direct as the machine itself", async () => {
    await lay("only", rule("one", match, "tunnel"));
    await expectWays(road, { tunnel: possible(named), direct: possible(others) });
  });

  test("P5 blocked, in both modes", async () => {
    await lay("everything", rule("one", match, "block"));
    await expectWays(road, { refused: possible(named), tunnel: possible(others) });
    await lay("only", rule("one", match, "block"));
    await expectWays(road, { refused: possible(named), direct: possible(others) });
  });
});

test("P5 the first rule that matches decides, in either order", async () => {
  const host = rule("host", { destination: hosts(web.ipv4, web.ipv6) }, "direct");
  const port = rule("port", { protocol: "udp", ports: [{ from: 9, to: 9 }] }, "block");
  const wide = rule("wide", { destination: hosts("192.0.2.0/24", "2001:db8:10::/48") }, "tunnel");
  const rest = [...both("udp", news, { port: 7 }), ...both("connect", news)];
  await lay("everything", host, port, wide);
  await expectWays(road, {
    direct: [...both("udp", web), ...both("connect", web)],
    refused: [...both("udp", news), ...both("udp", backup)],
    tunnel: rest,
  });
  await lay("everything", port, wide, host);
  await expectWays(road, {
    refused: [...both("udp", web), ...both("udp", news)],
    tunnel: [...both("connect", web), ...rest],
  });
  await lay("only", wide, host, port);
  await expectWays(road, {
    tunnel: [...both("udp", web), ...both("connect", web), ...both("udp", news), ...rest],
    refused: [{ kind: "udp", to: backup.ipv6 }],
    direct: [{ kind: "connect", to: backup.ipv6 }],
  });
});

test("P5 sockets have the addresses of their lane from the start: nothing is translated on the way", async (context) => {
  if (!accounts) return context.skip("one account only");
  await lay("everything", rule("anna", { users: [anna] }, "direct"));
  const told = async (uid: number, host: string) => {
    const curl = ["curl", "-s", "-m", "5", "-w", "%{local_ip}", "-o", "/dev/null", `http://${host}/json`];
    return (await asUser(road.laptop, uid).exec(curl)).stdout;
  };
  expect(await told(anna, web.ipv4)).toBe(places.laptop.ipv4);
  expect(await told(anna, `[${web.ipv6}]`)).toContain(home.prefix6.replace("::/64", ":"));
  expect(await told(boris, web.ipv4)).toBe(road.node.inside4.replace(/1$/, "2"));
  expect(await told(boris, `[${web.ipv6}]`)).toBe(road.node.inside6?.replace(/1$/, "2"));
});
