// V7, K4: rules by name. A name's addresses are in its rule's set before whoever asked has the answer, so the first packet of
// the first connection goes its lane; nobody but the resolver that policy or node names is asked, and never beside.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Name } from "../../helper/contract/name.ts";
import type { PolicyRule } from "../../helper/contract/policy.ts";
import { parsePrefix, type Prefix } from "../../helper/contract/prefix.ts";
import { stubAddress } from "../../helper/plan/numbers.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { type Snapshot, snapshot } from "../lab/snapshot.ts";
import { onSecond } from "./allowed.ts";
import { connect, openRoad, type Road, seenAs } from "./road.ts";

const { backup, news, web } = places;
const named = (id: string, lane: PolicyRule["lane"], ...names: string[]): PolicyRule => ({
  ...{ id, name: id, lane },
  match: { names: names as Name[] },
});
const rules = [
  named("bank", "direct", "bank.example"),
  named("work", "tunnel", "*.work.example"),
  named("ads", "block", "ads.example"),
  named("pool", "direct", "pool.example"),
];
const direct = [backup.ipv4, backup.ipv6].map((a) => parsePrefix(a)).filter((p): p is Prefix => p !== undefined);

const allowedDirect: string[] = [...direct];

let road: Road;
let before: Snapshot;
let connectedAt = 0;
beforeAll(async () => {
  road = await openRoad({ control: [], policy: { rules }, allowed: { direct: allowedDirect } });
  await snapshot(road.laptop);
  before = await snapshot(road.laptop);
  await say("bank.example", [backup.ipv4, backup.ipv6]);
  await say("www.work.example", [news.ipv4, news.ipv6]);
  await say("ads.example", [web.ipv6]);
  await connect(road);
  connectedAt = Date.now();
});
afterAll(() => road.close());

test("V7 the first packet of the first connection to a name goes the lane of its rule", async () => {
  const since = Date.now();
  expect(await seenAs(road.laptop, "bank.example")).toMatch(home);
  expect(await seenAs(road.laptop, "www.work.example")).toMatch(
    new RegExp(`${road.node.address4}|${road.node.address6}`),
  );
  expect(await seenAs(road.laptop, "ads.example")).toBe("");
  await nothingBeside(since);
});

test("V7 a new answer is in place before it is given, and the old address stays for those who have it", async () => {
  const since = Date.now();
  await say("pool.example", [web.ipv4], "&ttl=0");
  expect(await seenAs(road.laptop, web.ipv4)).toBe(road.node.address4);
  allowedDirect.push(hostOf(web.ipv4));
  expect(await seenAs(road.laptop, "pool.example")).toBe(places.home.ipv4);
  await say("pool.example", [backup.ipv4], "&ttl=0");
  expect(await seenAs(road.laptop, "pool.example")).toBe(places.home.ipv4);
  expect(await seenAs(road.laptop, web.ipv4)).toBe(places.home.ipv4);
  await nothingBeside(since);
});

test("V7 a name behind others is the rule's, wherever they lead", async () => {
  await say("edge.cdn.example", [news.ipv4]);
  await say("shop.bank.example", [], "&cname=edge.cdn.example");
  allowedDirect.push(hostOf(news.ipv4));
  expect(await seenAs(road.laptop, "shop.bank.example")).toBe(places.home.ipv4);
});

test("V7 a public name that answers with what is near puts nothing into a direct rule", async () => {
  await say("rebind.bank.example", ["10.55.0.1", places.home.gateway]);
  await road.laptop.exec(["getent", "ahostsv4", "rebind.bank.example"]);
  const sets = await road.culvert.json<{ text: string }>("plan");
  expect(sets.text).not.toContain("10.55.0.1");
  expect((await road.laptop.exec("ip route show table all")).stdout).not.toContain("10.55.0.1");
});

test("V7 while 250 programs ask at once all are answered or refused, and the next one is answered", async () => {
  await road.laptop.exec(
    `for i in $(seq 250); do getent ahostsv4 n$i.${places.authority.zone} & done >/dev/null 2>&1; wait`,
    { timeoutMs: 60_000 },
  );
  expect(await seenAs(road.laptop, "bank.example")).not.toBe("");
});

test("V7 with the helper dead names fail, and nothing is asked elsewhere; its next life answers again", async () => {
  const since = Date.now();
  await road.culvert.kill();
  const got = await road.laptop.exec(["getent", "ahosts", "lost.bank.example"], { mayFail: true });
  expect(got.code).not.toBe(0);
  expect(asked("lost.bank.example")).toEqual([]);
  await road.culvert.start();
  await road.culvert.waitFor(["connected"]);
  expect(await until("an answer", async () => (await seenAs(road.laptop, "bank.example")) || undefined)).toMatch(home);
  await nothingBeside(since);
});

test("V7, P3 all questions came from the node", () => {
  const from = new Set(
    road.lab
      .events("authority", "asked")
      .filter((e) => after(e.at))
      .map((e) => e["from"]),
  );
  expect([...from]).toEqual([road.node.address4]);
  expect(road.lab.events("router", "resolve").filter((e) => after(e.at))).toEqual([]);
});

test("P11 after down names are asked as before", async () => {
  expect((await road.laptop.exec("cat /etc/resolv.conf")).stdout).toContain(stubAddress);
  expect((await road.culvert.cli("down")).code).toBe(0);
  expect(await snapshot(road.laptop)).toEqual(before);
});

const home = /^2001:db8:73:|^198\.51\.100\.73$/;
const hostOf = (address: string): Prefix => `${address}/32` as Prefix;
const after = (at: number): boolean => at > connectedAt;

function asked(name: string): readonly unknown[] {
  return ["authority", "router", "isp"].flatMap((machine) =>
    road.lab.events(machine).filter((e) => e["name"] === name),
  );
}

async function say(name: string, addresses: readonly string[], more = ""): Promise<void> {
  const url = `http://${places.authority.ipv4}:8053/set?name=${name}&to=${addresses.join(",")}${more}`;
  await road.lab.machine("web").exec(["curl", "-s", "-m", "5", url]);
}

async function nothingBeside(since: number): Promise<void> {
  const [home, second] = [
    await road.home.look(road.allowed, since),
    await road.second.look(onSecond(road.allowed), since),
  ];
  expect({ home: home.beside, second: second.beside }).toEqual({ home: [], second: [] });
}
