// K13: what crashed VPNs leave is found, explained in the person's language and taken away by one command; and a VPN that lives,
// or somebody who uses our numbers, is named before connecting, with the command that makes room. With packets: what it did to
// them before, and that they go afterwards.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Finding } from "../../helper/contract/verdict.ts";
import { confOf } from "../lab/keys.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { differences, snapshot, type Snapshot } from "../lab/snapshot.ts";
import { ownTables } from "./own-tables.ts";
import { connect, openRoad, type Road, seenAs } from "./road.ts";

const { home, laptop, web } = places;
/** As the lab's DHCP left it. */
const servers = `printf 'nameserver ${home.gateway}\nnameserver ${places.resolver.ipv4}\n' > /etc/resolv.conf`;
let road: Road;
let before: Snapshot;

beforeAll(async () => {
  road = await openRoad({ control: [] });
  // loads what a first look at nft and conntrack loads, and the first use of a WireGuard
  await wgQuickUp();
  await run("wg-quick down /run/wgq0.conf");
  await snapshot(road.laptop);
  before = await snapshot(road.laptop);
  expect(await findings()).toEqual([]);
});
afterAll(() => road.close());

describe("left behind", () => {
  test("K13 wg-quick whose engine was killed", async () => {
    await wgQuickUp();
    expect(await seenAs(road.laptop)).toBe(road.node.address4);
    expect(await findings(), "while it lives nothing of it is stale").toEqual([]);
    await run(`kill -9 $(pgrep -x wireguard-go --ns ${road.laptop.pid} --nslist net); rm -f /run/wireguard/wgq0.sock`);
    await until("the link's end", async () => ((await run("ip -o link")).includes("wgq0") ? undefined : true));
    const [left, ...more] = await findings();
    expect({ code: left?.code, author: left?.author, more }).toEqual({
      ...{ code: "stale.wg-quick", author: "wg-quick", more: [] },
    });
    await explained(left, ["wgq0", "51820"]);
    await repaired(left);
  });

  test("K13 OpenVPN's persistent adapter, its halves and its way to the server: nothing got through, then all does", async () => {
    // what openvpn --mktun --persist-tun and --redirect-gateway def1 lay; nobody holds the adapter any more
    await run(
      `ip tuntap add mode tun name tun7; ip link set tun7 up; ip addr add 10.8.0.6/24 dev tun7
       ip route add ${road.node.address4}/32 via ${home.gateway} dev ${laptop.uplink}
       ip route add 0.0.0.0/1 via 10.8.0.1 dev tun7; ip route add 128.0.0.0/1 via 10.8.0.1 dev tun7
       sed 's/^nameserver.*/nameserver 10.8.0.1/' /etc/resolv.conf > /run/r && cat /run/r > /etc/resolv.conf`,
    );
    expect(await seenAs(road.laptop), "its adapter swallows").toBe("");
    const left = await findings();
    expect(left.map((f) => f.code)).toEqual(["stale.adapter", "stale.host-route", "stale.names"]);
    await explained(left[0], ["tun7", "10.8.0.1"]);
    expect(await all()).toMatchObject({ code: 0 });
    expect(await seenAs(road.laptop)).toBe(home.ipv4);
    // names need a resolver: none of those before was left to name, so the router of the default route is asked
    expect(await run("cat /etc/resolv.conf")).toContain(`nameserver ${home.gateway}`);
    await run(servers);
  });

  test("K13 a run of our own whose notes are lost: closed until the next start, which undoes it by its numbers alone", async () => {
    await connect(road);
    await road.culvert.kill();
    expect(await seenAs(road.laptop), "the gate of the dead run holds").toBe("");
    await run("rm /var/lib/culvert/journal.json /var/lib/culvert/last.json /run/culvert/wanted.json");
    await road.culvert.start();
    expect(await ownTables(road.laptop)).toEqual([]);
    expect(await findings()).toEqual([]);
    expect(await seenAs(road.laptop)).toBe(home.ipv4);
    // how sysctls and the resolver were, only the notes knew
    const kept = differences(before, await snapshot(road.laptop)).filter((d) => !/^(sysctls|resolver) /.test(d));
    expect(kept).toEqual([]);
    await run(servers);
    before = await snapshot(road.laptop);
  });

  test("K13 what an older version of ours left under our numbers: nothing got through, then all does", async () => {
    // two of its lines are enough: the catch-all, and a gate that is nobody's
    await run(
      `ip route add unreachable default metric 4278198272 proto kernel table 7600; ip rule add pref 4900 lookup 7600 proto kernel
       nft 'add table inet culvert; add chain inet culvert output { type filter hook output priority 0; policy drop; }'`,
    );
    expect(await seenAs(road.laptop)).toBe("");
    const left = await findings();
    expect(left.map((f) => [f.code, f.author])).toEqual([["stale.own", "Culvert"]]);
    await explained(left[0], ["4900"]);
    await repaired(left[0]);
  });
});

describe("named before connecting", () => {
  test("another VPN is up: said with its name and how it ends; nothing is touched; then it connects", async () => {
    await wgQuickUp();
    const during = await snapshot(road.laptop);
    const remedy = await refusedUp(/wgq0/);
    expect(remedy).toContain("wg-quick down wgq0");
    expect(differences(during, await snapshot(road.laptop))).toEqual([]);
    await run("wg-quick down /run/wgq0.conf");
    await connectsAndEnds();
  });

  test.each([
    ["a priority among our rules", "ip rule add pref 4500 from 192.0.2.77 lookup main", "pref 4500"],
    ["a route in one of our tables", `ip route add 192.0.2.0/24 via ${home.gateway} table 7650`, "table 7650"],
    ["our mark", "ip rule add pref 900 fwmark 0xc1000000/0xff000000 lookup 77", "fwmark 0xc1000000"],
  ])("%s is taken: said with the command that frees it, which does", async (_what, taken, named) => {
    await run(taken);
    const during = await snapshot(road.laptop);
    const told = await refusedUp(new RegExp(named));
    expect(differences(during, await snapshot(road.laptop))).toEqual([]);
    const remedy = /(ip (-6 )?(rule|route) del .*)$/m.exec(told)?.[1] ?? "";
    await run(remedy.trim());
    expect(differences(before, await snapshot(road.laptop))).toEqual([]);
    await connectsAndEnds();
  });
});

const run = async (command: string): Promise<string> => (await road.laptop.exec(command)).stdout;

async function wgQuickUp(): Promise<void> {
  const conf = confOf(road.node).replace(/^DNS.*\n/m, "");
  await road.laptop.exec(["tee", "/run/wgq0.conf"], { input: conf });
  await run("chmod 600 /run/wgq0.conf; WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go wg-quick up /run/wgq0.conf 2>&1");
}

const findings = (): Promise<readonly Finding[]> => road.culvert.json<readonly Finding[]>("repair");
const all = () => road.culvert.cli("repair", "--all");

/** In each language: a sentence of its own, what was found, and what would be done. */
async function explained(finding: Finding | undefined, words: readonly string[]): Promise<void> {
  if (finding === undefined) throw new Error("nothing was found");
  const told = await Promise.all(
    ["en_GB.UTF-8", "ru_RU.UTF-8", "zh_CN.UTF-8"].map(async (language) => {
      const command = ["env", `LC_ALL=${language}`, process.execPath, ...road.culvert.command, "repair"];
      return (await road.laptop.exec(command)).stdout;
    }),
  );
  const heads = told.map((text) => text.split("\n").find((line) => line.startsWith(`${finding.id} `)) ?? "");
  expect(new Set(heads).size, heads.join("\n")).toBe(3);
  expect(heads[1]).toMatch(/[а-я]{4}/);
  expect(heads[2]).toMatch(/[\u4e00-\u9fff]{2}/);
  for (const text of told) {
    expect(text, "the code is no sentence").not.toContain(finding.code);
    for (const word of [...words, ...finding.remedy]) expect(text).toContain(word);
  }
}

/** By its name alone; afterwards the machine is as before all this. */
async function repaired(finding: Finding | undefined): Promise<void> {
  expect(await road.culvert.cli("repair", finding?.id ?? "")).toMatchObject({ code: 0 });
  expect(differences(before, await snapshot(road.laptop))).toEqual([]);
  expect(await seenAs(road.laptop)).toBe(home.ipv4);
}

async function refusedUp(named: RegExp): Promise<string> {
  const up = await road.culvert.cli("up", road.node.city);
  expect(up.code).not.toBe(0);
  const told = `${up.stdout}${up.stderr}`;
  expect(told).toMatch(named);
  return told;
}

async function connectsAndEnds(): Promise<void> {
  await connect(road);
  expect((await road.culvert.cli("down")).code).toBe(0);
  expect(await seenAs(road.laptop, web.ipv4)).toBe(home.ipv4);
}
