// Every golden plan of the policy is applied by the addon, read back and taken down, on links like those of its machine.
// Needs root and a network namespace of its own.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import { diff } from "../plan/diff.ts";
import type { Facts } from "../plan/facts.ts";
import type { Plan } from "../plan/plan.ts";
import { compile } from "../policy/compile.ts";
import { node, policy } from "../policy/sample-machines.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import { assertApart, sh, until } from "./apart.ts";
import { type LinuxKernel, openLinux } from "./linux.ts";
import { loadNative } from "./native.ts";

const native = loadNative();
let folder: string;
let kernel: LinuxKernel;
const made = new Set<string>();

beforeAll(() => {
  assertApart();
  sh("ip link set lo up");
});
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "culvert-plans-"));
  writeFileSync(join(folder, "resolv.conf"), "nameserver 192.0.2.53\n");
  kernel = await openLinux({ native, stateDir: folder, runDir: folder, resolvConf: join(folder, "resolv.conf") });
});
afterEach(async () => {
  await kernel.undo();
  kernel.close();
  for (const name of made) sh(`ip link del ${name}`);
  made.clear();
  rmSync(folder, { recursive: true });
});
afterAll(() => {
  expect(sh("ip -o link").trim().split("\n")).toHaveLength(1);
});

test.each(Object.entries(samplePlans))("%s", async (_name, sample) => {
  stage(sample.facts);
  // IPv6 lays its multicast route only when linkwatch has noticed the carrier
  await until(() => [...made].every((name) => sh(`ip -o link show dev ${name}`).includes("state UP")));
  const answer = compile(sample);
  if (!answer.ok) throw new Error(answer.refusal.code);
  const plan = here(answer.value);
  const before = state();
  const { commands } = await kernel.apply(plan);
  expect(commands.length === 0).toBe(plan.nft.length === 0);
  expect(diff(plan, await kernel.read())).toEqual([]);
  expect((await kernel.apply(plan)).commands).toEqual([]);
  await kernel.undo();
  await until(() => state() === before);
});

test("a list of thousands is laid whole, mended where it was touched, and taken away whole", async () => {
  sh(
    "ip link add up0 type veth peer name far0; ip addr add 192.0.2.2/24 dev up0; ip link set far0 up; ip link set up0 up",
  );
  made.add("up0");
  sh("ip route add default via 192.0.2.1 dev up0");
  const destination = Array.from({ length: 3000 }, (_, i) => `198.${18 + (i >> 8)}.${i & 255}.8/31` as Prefix);
  const rule = { id: "many", name: "many", lane: "direct", match: { destination } } as const;
  const answer = compile({
    ...{ policy: policy({ rules: [rule] }), facts: await kernel.read() },
    ...{ exit: node, state: "connected" },
  });
  if (!answer.ok) throw new Error(answer.refusal.code);
  const plan = here(answer.value);
  const { commands } = await kernel.apply(plan);
  const at = (text: string): number => commands.findIndex((c) => c.startsWith(text));
  // the sets are there before a line asks them, and no line is there before the routes are
  expect(at("nft add element inet culvert rule0_v4")).toBeLessThan(at("ip route replace"));
  expect(at("nft add chain inet culvert output")).toBeGreaterThan(commands.length - 400);
  expect(commands.filter((c) => c.includes("table 7610 "))).toHaveLength(3000);
  expect(diff(plan, await kernel.read())).toEqual([]);
  expect((await kernel.apply(plan)).commands).toEqual([]);
  sh("ip route del 198.20.9.8/31 table 7610; ip route add 198.51.100.0/24 dev up0 table 7610 proto kernel metric 10");
  expect((await kernel.apply(plan)).commands).toEqual([
    expect.stringContaining("ip route replace 198.20.9.8/31 "),
    expect.stringContaining("ip route del 198.51.100.0/24 "),
  ]);
  await kernel.undo();
  expect(sh("ip -4 route show table all | grep -c 'table 7' || true").trim()).toBe("0");
});

/** The sample machines ask systemd-resolved, which is not here. */
function here(plan: Plan): Plan {
  if (plan.dns === null) return plan;
  return { ...plan, dns: { by: "file", path: join(folder, "resolv.conf"), servers: plan.dns.servers } };
}

/** Without what the kernel notes of carriers in its own time. */
function state(): string {
  return sh("ip -4 route show table all; ip -6 route show table all; ip rule; ip -6 rule; ip nexthop; nft list tables")
    .replaceAll(" linkdown", "")
    .replaceAll(" dead", "");
}

/** Its links, addresses and routes of main as far as the plan's commands ask for them. */
function stage(facts: Facts): void {
  const links = facts.links.filter((l) => l.name !== "lo");
  for (const { name, kind, index } of links) {
    if (kind === "bridge") sh(`ip link add ${name} type bridge`);
    else {
      // the other end has no address of its own, which would come to be there in its own time (RFC 4862, 5.4)
      sh(`ip link add ${name} type veth peer name far${index}`);
      sh(`sysctl -qw net.ipv6.conf.far${index}.addr_gen_mode=1; ip link set far${index} up`);
    }
    made.add(name);
  }
  for (const { name, master } of links) {
    const bridge = facts.links.find((l) => l.index === master)?.name;
    if (bridge !== undefined) sh(`ip link set ${name} master ${bridge}`);
    sh(`sysctl -qw net.ipv6.conf.${name}.addr_gen_mode=1 net.ipv6.conf.${name}.accept_ra=0; ip link set ${name} up`);
  }
  for (const { address, link } of facts.addresses)
    sh(`ip addr add ${address} dev ${link}${address.includes(":") ? " nodad" : ""}`);
}
