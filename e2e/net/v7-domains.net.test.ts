// V7: a name's address is in its rule's set for as long as its answer says and no longer; private names are asked of the
// resolver of their domain, inside, and of nobody else.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Name } from "../../helper/contract/name.ts";
import type { PolicyRule } from "../../helper/contract/policy.ts";
import type { Address } from "../../helper/contract/prefix.ts";
import { graceMs, floorMs } from "../../helper/names/table.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { onSecond } from "./allowed.ts";
import { basePolicy, openConnected, type Road, seenAs } from "./road.ts";

const { authority, home, resolver, web } = places;
const kept = "/run/culvert/names.json";
const direct: string[] = [];

let road: Road;
beforeAll(async () => {
  road = await openConnected({ control: [], allowed: { direct, resolvers: [home.gateway] } });
});
afterAll(() => road.close());

test("V7 when an answer's lifetime has passed its address leaves the rule's set, and goes by the node again", async () => {
  const rule: PolicyRule = { id: "bank", name: "bank", match: { names: ["bank.example" as Name] }, lane: "direct" };
  await road.culvert.setPolicy({ ...basePolicy, rules: [rule] });
  await say("bank.example", web.ipv4, "&ttl=1");
  direct.push(`${web.ipv4}/32`);
  const before = Date.now();
  expect(await seenAs(road.laptop, "bank.example")).toBe(home.ipv4);
  const [[name, address, end] = []] = await entries();
  expect([name, address]).toEqual(["bank.example", web.ipv4]);
  // a second is no lifetime: the floor, and the grace
  expect(end ?? 0).toBeGreaterThanOrEqual(before + floorMs + graceMs);
  expect(end ?? 0).toBeLessThan(Date.now() + floorMs + graceMs + 1000);
  // the rest of it passes while no helper lives
  await road.culvert.kill();
  await road.laptop.exec(["tee", kept], { input: JSON.stringify([["bank.example", web.ipv4, Date.now() + 6000]]) });
  await road.culvert.start();
  await road.culvert.waitFor(["connected"]);
  expect(await until("a page", async () => (await seenAs(road.laptop)) || undefined)).toBe(home.ipv4);
  await until("the set without the address", async () => (await inSet()) || undefined, 40_000);
  direct.pop();
  const since = Date.now();
  expect(await seenAs(road.laptop)).toBe(road.node.address4);
  await nothingBeside(since);
});

test("V7 a private name is asked inside, of the resolver of its domain, and never outside", async () => {
  const inside = road.node.inside4 as Address;
  await road.culvert.setPolicy({
    ...basePolicy,
    dns: {
      servers: [home.gateway as Address],
      domains: [{ domain: `corp.${authority.zone}` as Name, servers: [inside] }],
    },
  });
  const since = Date.now();
  const [secret, open] = [`vault.corp.${authority.zone}`, `open.${authority.zone}`];
  for (const name of [secret, open]) await road.laptop.exec(["getent", "ahosts", name], { mayFail: true });
  await until("both questions", () => (askedAt("node", secret) > 0 && askedAt("router", open) > 0) || undefined);
  expect(askedAt("router", secret) + askedAt("isp", secret)).toBe(0);
  expect(askedAt("node", open)).toBe(0);
  // who is not there is not stood in for
  await road.laptop.exec(["getent", "ahosts", `deeper.${secret}`], { mayFail: true });
  expect(askedAt("router", `deeper.${secret}`)).toBe(0);
  await nothingBeside(since);
});

test("V7 a private name has no answer while its resolver has none, and still nobody else is asked", async () => {
  const nobody = "10.55.0.53" as Address;
  const since = Date.now();
  await road.culvert.setPolicy({
    ...basePolicy,
    dns: {
      servers: [home.gateway as Address],
      domains: [{ domain: `corp.${authority.zone}` as Name, servers: [nobody] }],
    },
  });
  const secret = `alone.corp.${authority.zone}`;
  expect((await road.laptop.exec(["getent", "ahosts", secret], { mayFail: true, timeoutMs: 30_000 })).code).not.toBe(0);
  expect(askedAt("router", secret) + askedAt("isp", secret) + askedAt("node", secret)).toBe(0);
  await nothingBeside(since);
  expect(resolver.ipv4).not.toBe(nobody);
});

async function entries(): Promise<readonly (readonly [string, string, number])[]> {
  const { stdout } = await road.laptop.exec(["cat", kept]);
  return JSON.parse(stdout) as readonly (readonly [string, string, number])[];
}

async function inSet(): Promise<boolean> {
  return !(await road.culvert.json<{ text: string }>("plan")).text.includes(web.ipv4);
}

function askedAt(machine: string, name: string): number {
  const at = machine === "node" ? road.node.machine : machine;
  return road.lab.events(at, "resolve").filter((e) => e["name"] === name).length;
}

async function say(name: string, address: string, more = ""): Promise<void> {
  const url = `http://${authority.ipv4}:8053/set?name=${name}&to=${address}${more}`;
  await road.lab.machine("web").exec(["curl", "-s", "-m", "5", url]);
}

async function nothingBeside(since: number): Promise<void> {
  const [first, second] = [
    await road.home.look(road.allowed, since),
    await road.second.look(onSecond(road.allowed), since),
  ];
  expect({ home: first.beside, second: second.beside }).toEqual({ home: [], second: [] });
}
