// Routing on a real kernel: nothing reaches main while rules and routes change (P9, 11.1), what IPv6 needs besides (B, C),
// and refusals told by place. Needs root and a network namespace of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { type Address, parseAddress, type Prefix } from "../contract/prefix.ts";
import { lastMetric, linkName, nexthops } from "../plan/numbers.ts";
import type { Plan, PlanRoute, PlanRule } from "../plan/plan.ts";
import { flood, framesOut, makeUplink, removeUplink, sh, until } from "./apart.ts";
import { type LinuxKernel, openLinux } from "./linux.ts";
import { loadNative, type NetlinkOperation } from "./native.ts";

const native = loadNative();
let folder: string;
let kernel: LinuxKernel;
let stop: (() => Promise<void>) | undefined;

beforeEach(async () => {
  makeUplink();
  folder = mkdtempSync(join(tmpdir(), "culvert-routing-"));
  const resolvConf = join(folder, "resolv.conf");
  writeFileSync(resolvConf, "");
  kernel = await openLinux({ native, stateDir: folder, runDir: folder, resolvConf });
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  await kernel.undo();
  kernel.close();
  rmSync(folder, { recursive: true });
  removeUplink();
});

describe("while rules and routes change, nothing reaches main", () => {
  test("a catch-all that moves from table to table, 100 times under a flood (11.2)", async () => {
    stop = await flood();
    await until(() => framesOut() > 1000);
    await kernel.apply(plan([7600, 7650], [catchAll(7600)]));
    const before = framesOut();
    for (let i = 0; i < 50; i++) {
      await kernel.apply(plan([7600, 7650], [catchAll(7650)]));
      await kernel.apply(plan([7600, 7650], [catchAll(7600)]));
    }
    expect(framesOut() - before).toBe(0);
    sh("ip rule del pref 4900");
    await until(() => framesOut() - before > 100);
  });

  test("the way into the tunnel comes and goes over an unreachable one, and the adapter too (1.17)", async () => {
    stop = await flood();
    await kernel.apply(plan([7600], [catchAll(7600)]));
    const before = framesOut();
    const link = { name: linkName, mtu: 1420, txQueueLen: 500, addresses: [] };
    const way: PlanRoute = { ...stopIn(7600), metric: 10, to: into(linkName) };
    for (let i = 0; i < 20; i++) {
      const closed = plan([7600], [catchAll(7600)]);
      await kernel.apply({ ...closed, link, routes: [...closed.routes, way] });
      await kernel.apply(closed);
    }
    expect(framesOut() - before).toBe(0);
  });

  test("a set's object moves from uplink to blackhole without a gap (1.36)", async () => {
    stop = await flood();
    const id = nexthops.direct[4];
    const set: PlanRoute = { ...stopIn(7610), prefix: "203.0.113.0/24" as Prefix, to: { kind: "nexthop", id } };
    const rules = [{ ...catchAll(7610), priority: 4300 }, catchAll(7600)];
    const closed: Plan = {
      ...plan([7600], rules),
      nexthops: [{ id, family: 4, to: { kind: "blackhole" } }],
    };
    const wanted = { ...closed, routes: [...closed.routes, set] };
    await kernel.apply(wanted);
    const before = framesOut();
    const open = { id, family: 4, to: { kind: "dev", dev: "up0", via: "192.0.2.1" as Address, onlink: true } } as const;
    await kernel.apply({ ...wanted, nexthops: [open] });
    await until(() => framesOut() - before > 100);
    await kernel.apply(wanted);
    const after = framesOut();
    expect((await kernel.apply(wanted)).commands).toEqual([]);
    expect(framesOut() - after).toBe(0);
  });
});

test("IPv6: a socket bound to the uplink is stopped by the unreachable rule, not by the route alone (B)", async () => {
  const socket = native.netlinkOpen();
  const ask = () =>
    native.routeGet(socket, { to: "2001:db8:ffff::1" as Address, oif: "up0" }).kind === "route" ? "leaves" : "stopped";
  const six = { ...stopIn(7600), family: 6, prefix: "::/0" as Prefix } as const;
  const without: Plan = { ...plan([], []), routes: [six], rules: [{ ...catchAll(7600), family: 6 }] };
  await kernel.apply(without);
  expect(ask()).toBe("leaves");
  const rule: PlanRule = { family: 6, priority: 4910, action: { kind: "unreachable" } };
  await kernel.apply({ ...without, rules: [...without.rules, rule] });
  // asked with a device, IPv6 answers by the null entry, which is told as unreachable
  expect(ask()).toBe("stopped");
  native.closeFd(socket);
});

test("refused changes come back by their place, and the others are done", () => {
  const socket = native.netlinkOpen();
  const routes: readonly PlanRoute[] = [stopIn(7600), { ...stopIn(7600), to: into("nosuch") }, stopIn(7601)];
  const rule: PlanRule = { ...catchAll(7600), dport: { from: 53, to: 65_535 }, protocol: 17 };
  const operations: readonly NetlinkOperation[] = [
    ...routes.map((route): NetlinkOperation => ({ kind: "route.replace", route })),
    { kind: "rule.add", rule },
    { kind: "link.del", name: "nosuch" },
  ];
  expect(native.netlinkApply(socket, operations)).toEqual([
    { index: 1, code: "ENODEV", detail: "" },
    // L: the kernel has no rule for port 65535
    { index: 3, code: "EINVAL", detail: "Invalid dport range" },
    { index: 4, code: "ENODEV", detail: "" },
  ]);
  const { routes: have } = native.netlinkRead(socket);
  expect(have.filter((r) => r.table === 7600 || r.table === 7601)).toHaveLength(2);
  native.closeFd(socket);
});

test("ten thousand routes go in and come back in batches", async () => {
  const prefix = (i: number) => `10.${i >> 8}.${i & 255}.0/24` as Prefix;
  const routes = Array.from({ length: 10_000 }, (_, i): PlanRoute => ({ ...stopIn(7610), prefix: prefix(i) }));
  const wanted = { ...plan([], []), routes };
  expect((await kernel.apply(wanted)).commands).toHaveLength(10_000);
  expect((await kernel.apply(wanted)).commands).toEqual([]);
});

test("addresses read are written as the contract writes them", () => {
  const socket = native.netlinkOpen();
  const texts = [
    "2001:db8::",
    "2001:db8:0:0:1::",
    "2001:db8:0:1:1:1:1:1",
    "64:ff9b::c000:201",
    "1:0:0:2::",
    "fd00::a:b",
  ];
  const odd = ["::ffff:c000:201", "::c000:201", "1:0:2:3:4:5:6:7", "0:1:2:3:4:5:6:7", "::1:0:0:2"];
  const addresses = [...texts, ...odd].map((text) => parseAddress(text) as Address);
  for (const address of addresses) {
    const route: PlanRoute = { ...stopIn(7600), family: 6, prefix: `${address}/128` as Prefix };
    expect(native.netlinkApply(socket, [{ kind: "route.replace", route }])).toEqual([]);
  }
  const read = native.netlinkRead(socket).routes.filter((r) => r.table === 7600);
  expect(read.map((r) => r.prefix).sort()).toEqual(addresses.map((a) => `${a}/128`).sort());
  native.closeFd(socket);
});

function plan(stops: readonly number[], rules: readonly PlanRule[]): Plan {
  return {
    ...{ state: "locked", order: "gate-first", link: null, dns: null, apps: null, nexthops: [], nft: [], sysctls: [] },
    ...{ routes: stops.map(stopIn), rules },
  };
}

function stopIn(table: number): PlanRoute {
  return { family: 4, table, prefix: "0.0.0.0/0" as Prefix, metric: lastMetric, to: { kind: "unreachable" } };
}

function into(dev: string): PlanRoute["to"] {
  return { kind: "dev", dev, via: null, onlink: false, src: null };
}

function catchAll(table: number): PlanRule {
  return { family: 4, priority: 4900, action: { kind: "lookup", table } };
}
