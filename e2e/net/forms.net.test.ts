// The promises in the forms of T2 that lie in main: one lab a form, with a direct and a blocked rule, and everything that a
// form could break. (The other files run in the own table; with `npm test -- forms` in every form.) The order matters: what is
// plugged in or pushed stays no longer than its test.
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { Form, PolicyRule } from "../../helper/contract/policy.ts";
import type { Prefix } from "../../helper/contract/prefix.ts";
import { linkName, mainMetrics, marks, tableName, tables } from "../../helper/plan/numbers.ts";
import { rawFrames, sourceRouted } from "../lab/evasions.ts";
import { everything, longOpen, openFlood } from "../lab/flood.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { snapshot, type Snapshot } from "../lab/snapshot.ts";
import { basePolicy, connect, expectNothingBeside, holdsUnderFlood, openRoad, seenAs, throughNode } from "./road.ts";
import type { Road } from "./road.ts";

const { home, laptop, printer, backup, news, second, web } = places;
const direct = [`${backup.ipv4}/32`, `${backup.ipv6}/128`] as Prefix[];
const rules: PolicyRule[] = [
  { id: "backup", name: "Backup", match: { destination: direct }, lane: "direct" },
  { id: "news", name: "News", match: { destination: [`${news.ipv4}/32` as Prefix] }, lane: "block" },
];
const forms: readonly Form[] = ["metric", "halves", "eighths"];
const all = everything();
const seconds = 1;

// the long run has each of them in every test file already
describe.skipIf(basePolicy.form !== "table").each(forms)("the form %s", (form) => {
  let road: Road;
  let before: Snapshot;
  let older: Awaited<ReturnType<typeof openFlood>>;
  beforeAll(async () => {
    road = await openRoad({ policy: { form, rules }, allowed: { direct } });
    // loads what a first look at nft and conntrack loads
    await snapshot(road.laptop);
    before = await snapshot(road.laptop);
    older = await openFlood(road.laptop, longOpen(), seconds);
    await connect(road);
  });
  afterAll(() => road.close());

  const holds = (during?: () => Promise<void>, streams = all, long = seconds) =>
    holdsUnderFlood(road, during, streams, long);

  test("P1 sockets from before connecting, plain ones, and those that name the uplink send nothing beside", async () => {
    const since = Date.now();
    older.go();
    const report = await older.done;
    const seen = await road.home.look(road.allowed, since);
    const none = { counts: { ...seen.counts, beside: 0 }, beside: [] };
    expectNothingBeside({ report, home: seen, second: none }, longOpen(), seconds);
    await holds();
    await holds(undefined, everything({ device: laptop.uplink }));
    await holds(undefined, [...rawFrames(), ...sourceRouted()]);
  });

  test("P2 the engine reaches its node by the uplink, and what carries its mark enters no tunnel", async () => {
    await throughNode(road);
    const sent = async () =>
      Number((await road.laptop.exec(`cat /sys/class/net/${linkName}/statistics/tx_packets`)).stdout);
    const way = await road.laptop.exec(["ip", "route", "get", road.node.address4, "mark", String(marks.engine)]);
    expect(way.stdout).toContain(`via ${home.gateway} dev ${laptop.uplink}`);
    const started = await sent();
    const marked = ["ping", "-c", "40", "-i", "0.02", "-W", "1", "-m", String(marks.engine), web.ipv4];
    const since = Date.now();
    expect((await road.laptop.exec(marked, { mayFail: true })).code).not.toBe(0);
    // the end of an older connection may still go in
    expect((await sent()) - started).toBeLessThan(20);
    expect((await road.home.look(road.allowed, since)).beside).toEqual([]);
  });

  test("P4 the printer is reached on its own link", async () => {
    const since = Date.now();
    for (const host of [printer.ipv4, `[${printer.ipv6}]`])
      expect((await road.laptop.exec(["curl", "-s", "-m", "5", `http://${host}/`])).stdout).toContain("printer");
    const { counts, beside } = await road.home.look(road.allowed, since);
    expect(beside).toEqual([]);
    expect(counts.lan).toBeGreaterThan(5);
  });

  test("P5 each packet goes where its rule says, over both families", async () => {
    expect(await seenAs(road.laptop, backup.ipv4)).toBe(home.ipv4);
    expect(await seenAs(road.laptop, backup.ipv6)).toMatch(/^2001:db8:73:/);
    expect(await seenAs(road.laptop, web.ipv4)).toBe(road.node.address4);
    expect(await seenAs(road.laptop, web.ipv6)).toBe(road.node.address6);
    expect(await seenAs(road.laptop, news.ipv4)).toBe("");
  });

  test("P11 after down, and after a crash, a start and down, everything is as before", async () => {
    expect((await road.culvert.cli("down")).code).toBe(0);
    expect(await snapshot(road.laptop)).toEqual(before);
    await connect(road);
    await road.culvert.kill();
    await road.culvert.start();
    expect((await road.culvert.cli("down")).code).toBe(0);
    expect(await snapshot(road.laptop)).toEqual(before);
    await connect(road);
  });

  test("P8 the adapter is deleted, the engine killed: nothing beside, and the tunnel comes back", async () => {
    await holds(() => run(`ip link del ${linkName}`));
    await throughNode(road);
    await holds(async () => {
      const [engine] = await road.culvert.engines();
      await road.laptop.exec(["kill", "-9", String(engine)]);
    });
    await throughNode(road);
  });

  test("P8 a lease is renewed, the default rewritten, the carrier lost: nothing beside, and the tunnel comes back", async () => {
    await holds(() =>
      run(
        `ip route replace default via ${home.gateway} dev ${laptop.uplink} proto dhcp src ${laptop.ipv4} metric 100
           ip route del default via ${home.gateway} dev ${laptop.uplink} metric 100
           ip route add default via ${home.gateway} dev ${laptop.uplink} proto dhcp src ${laptop.ipv4} metric 100`,
      ),
    );
    await throughNode(road);
    await holds(
      async () => {
        await road.lab.wire("home").carrier("laptop", false);
        // linkwatch acts on it up to a second later (kernel finding 1.30-1.33)
        await new Promise((later) => setTimeout(later, 1200));
        await road.lab.wire("home").carrier("laptop", true);
      },
      all,
      3,
    );
    await throughNode(road);
  });

  test("P8 longer routes in main win over the form: dropped, said in the status, and nothing beside", async () => {
    const pushed = [`${web.ipv4}/32`, `${news.ipv4}/32`];
    await holds(() =>
      run(pushed.map((p) => `ip route add ${p} via ${home.gateway} dev ${laptop.uplink} proto dhcp`).join("\n")),
    );
    await until("the notice", async () => ((await notices()).includes("form.outranked") ? true : undefined));
    expect(await seenAs(road.laptop)).toBe("");
    expect(await seenAs(road.laptop, web.ipv6)).toBe(road.node.address6);
    await road.laptop.exec(pushed.map((p) => `ip route del ${p}`).join("\n"));
    await throughNode(road);
    await until("no notice", async () => ((await notices()).includes("form.outranked") ? undefined : true));
  });

  test("P8 and K8: a second uplink with metric 0 wins nothing, also when the first is gone", async () => {
    await holds(async () => {
      await road.lab.wire("second").plug("laptop");
      await road.laptop.exec(
        `ip link set ${second.uplink} up; ip addr add ${second.ipv4}/24 dev ${second.uplink}
         ip route add default via ${second.gateway} dev ${second.uplink} proto dhcp metric 0`,
      );
    });
    await throughNode(road);
    await holds(undefined, everything({ device: second.uplink }));
    await road.lab.wire("second").unplug("laptop");
    await throughNode(road);
  });

  test("P8 each lock alone, with nobody to mend it", async () => {
    await road.culvert.kill();
    const kept = await road.laptop.exec("ip -4 route show table main; ip -6 route show table main");
    expect(kept.stdout).toContain(`dev ${linkName} proto kernel metric ${mainMetrics.tunnel}`);
    await road.laptop.exec(
      ["-4", "-6"]
        .map(
          (
            f,
          ) => `ip ${f} route flush table main dev ${linkName}; ip ${f} route flush table main type unreachable metric ${mainMetrics.stop}
           ip ${f} rule flush; ip ${f} rule add pref 32766 lookup main; ip ${f} route flush table ${tables.tunnel}`,
        )
        .join("\n"),
    );
    const way = await road.laptop.exec(["ip", "route", "get", web.ipv4]);
    expect(way.stdout, "lock 1 is gone: main decides").toContain(`via ${home.gateway}`);
    await holds();
    await holds(undefined, [...everything({ device: laptop.uplink }), ...rawFrames()]);
    await road.culvert.start();
    await throughNode(road);
    for (const family of ["inet", "netdev"]) {
      await road.culvert.kill();
      // the bound sockets of before came as far as asking for neighbours, and the kernel repeats that for three seconds:
      // they are of a machine without lock 2, this one shall lack lock 3 alone
      await until("nobody is asked for any more", async () => {
        const asked = await road.laptop.exec(["ip", "neigh", "show", "nud", "incomplete"]);
        return asked.stdout === "" || undefined;
      });
      await road.laptop.exec(`nft delete table ${family} ${tableName}`);
      await holds();
      await holds(undefined, everything({ device: laptop.uplink }));
      await road.culvert.start();
      await throughNode(road);
    }
  });

  const run = async (commands: string): Promise<void> => {
    await road.laptop.exec(commands);
  };
  const notices = async (): Promise<readonly string[]> => (await road.culvert.status()).notices;
});
