// X2: what `culvert explain` says of a packet, by the model and by the kernel, is what the packet does; what stands in its way is
// named; and a rule that is only thought of changes nothing, and does once saved what was foretold.
import { join } from "node:path";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { Policy, PolicyRule } from "../../helper/contract/policy.ts";
import type { Prefix } from "../../helper/contract/prefix.ts";
import type { Explanation } from "../../helper/contract/trace.ts";
import { places } from "../lab/places.ts";
import { basePolicy, openConnected, type Road, seenAs } from "./road.ts";

const { backup, home, laptop, news, printer, web } = places;
const hosts = (...addresses: readonly string[]): Prefix[] =>
  addresses.map((a) => `${a}/${a.includes(":") ? 128 : 32}` as Prefix);
const rules: PolicyRule[] = [
  { id: "backup", name: "Backup", match: { destination: hosts(backup.ipv4, backup.ipv6) }, lane: "direct" },
  { id: "news", name: "News", match: { destination: hosts(news.ipv4) }, lane: "block" },
];
const base: Policy = { ...basePolicy, rules };
let road: Road;

beforeAll(async () => {
  road = await openConnected({ policy: { rules }, control: [] });
});
afterAll(() => road.close());

test.each([
  ["the web", web.ipv4, "tunnel", null],
  ["the web over IPv6", web.ipv6, "tunnel", null],
  ["a direct host", backup.ipv4, "direct", "Backup"],
  ["a direct host over IPv6", backup.ipv6, "direct", "Backup"],
  ["a blocked host", news.ipv4, "block", "News"],
] as const)("X2 %s: model and kernel say the same, and so does the packet", async (_what, to, lane, rule) => {
  const told = await explain(to);
  expect({ lane: told.lane, rule: told.rule?.name ?? null, agrees: told.agrees, findings: told.findings }).toEqual({
    ...{ lane, rule, agrees: true, findings: [] },
  });
  const seen = await seenAs(road.laptop, to);
  if (lane === "tunnel") {
    expect(told.exit).toMatchObject({ kind: "node", node: road.node.city });
    expect(seen).toBe(to.includes(":") ? road.node.address6 : road.node.address4);
  } else if (lane === "direct") {
    expect(told.end).toMatchObject({ kind: "left", device: laptop.uplink });
    expect(seen).toMatch(to.includes(":") ? /^2001:db8:73:/ : new RegExp(`^${home.ipv4}$`));
  } else {
    expect(told.end.kind).not.toBe("left");
    expect(seen).toBe("");
  }
});

test("X2 the printer is on the LAN, for the model and for the kernel", async () => {
  expect(await explain(printer.ipv4)).toMatchObject({
    ...{ lane: "lan", agrees: true, findings: [], end: { kind: "left", device: laptop.uplink, gateway: null } },
  });
});

test("X2 another program's rule that sends it elsewhere is found, asked of both, and named", async () => {
  await road.laptop.exec(`ip rule add pref 100 to ${web.ipv4} lookup main`);
  try {
    const told = await explain(web.ipv4);
    // both follow the foreign rule; in the own table it leads to the uplink, where the gate stands
    expect(told.agrees).toBe(true);
    const inMain = basePolicy.form !== "table";
    expect(told.kernel).toMatchObject({ kind: "route", device: inMain ? "culvert0" : laptop.uplink });
    expect(told.findings.map((f) => f.code)).toContain("rule.foreign");
    expect(told.end.kind).toBe(inMain ? "left" : "dropped");
    expect(await seenAs(road.laptop)).toBe(inMain ? road.node.address4 : "");
    const text = await road.culvert.cli("explain", web.ipv4);
    expect(text.code).toBe(1);
    expect(text.stdout).toContain(`to ${web.ipv4}`);
  } finally {
    await road.laptop.exec("ip rule del pref 100");
  }
  expect((await explain(web.ipv4)).findings).toEqual([]);
});

test("X2 what if I add this rule: foretold, nothing changed; once saved it is so", async () => {
  const rule: PolicyRule = { id: "web", name: "The web", match: { destination: hosts(web.ipv4) }, lane: "direct" };
  const file = join(road.lab.folder, "would.json");
  await road.laptop.exec(["tee", file], { input: JSON.stringify({ ...base, rules: [rule, ...rules] }) });
  const before = await routing();
  const would = await explain(web.ipv4, "--policy", file);
  expect(would).toMatchObject({
    ...{ about: "would", lane: "direct", rule: { name: "The web", place: 1 }, findings: [] },
    ...{ kernel: { kind: "not-asked", why: "would" }, agrees: null },
    end: { kind: "left", device: laptop.uplink, gateway: home.gateway },
  });
  expect(await routing()).toBe(before);
  expect(await seenAs(road.laptop)).toBe(road.node.address4);
  await road.culvert.json("policy", "set", file);
  const is = await explain(web.ipv4);
  expect(is).toMatchObject({ about: "stands", lane: "direct", agrees: true, findings: [], end: would.end });
  expect(is.source).toBe(would.source);
  expect(await seenAs(road.laptop)).toBe(home.ipv4);
  await road.culvert.setPolicy(base);
});

async function explain(...words: readonly string[]): Promise<Explanation> {
  const answer = await road.culvert.cli("explain", ...words, "--json");
  return JSON.parse(answer.stdout) as Explanation;
}

/** Without nft's own listing, which spins while the gate stands (helper/README.md, known limits). */
async function routing(): Promise<string> {
  const plan = await road.culvert.cli("plan");
  const shown = await road.laptop.exec(
    "ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip nexthop",
  );
  return `${plan.stdout}${shown.stdout.replaceAll(/ expires \S+/g, "")}`;
}
