// P5: two programs with the same destinations go different ways, both ways round (everything but, only), over both
// families, started after the rule and running before it. Who went where is told by the wires.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { App, Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import type { Machine } from "../lab/machine.ts";
import { firstLine } from "../lab/process.ts";
import { places } from "../lab/places.ts";
import { asProgram, makeCgroup, makeProgram, removeCgroup } from "../lab/program.ts";
import { basePolicy, openConnected, type Road } from "./road.ts";
import { both, expectWays, type Probe, type Sender } from "./ways.ts";

const { home, laptop, web } = places;
const probes: readonly Probe[] = [...both("udp", web), ...both("connect", web), ...both("echo", web)];

let cgroup: string;
let road: Road;
let named: string;
let other: string;
beforeAll(async () => {
  cgroup = makeCgroup();
  road = await openConnected({ control: [], cgroup });
  named = makeProgram(road.lab, "named");
  other = makeProgram(road.lab, "other");
});
afterAll(async () => {
  await road.close();
  removeCgroup(cgroup);
});

const app = (path: string): App => ({ kind: "executable", path });
const rule = (id: string, apps: App[], lane: Lane): PolicyRule => ({ id, name: id, match: { apps }, lane });
const lay = (mode: Policy["mode"], ...rules: PolicyRule[]) => road.culvert.setPolicy({ ...basePolicy, mode, rules });
const by = (program: string, below = ""): Sender => ({
  machine: asProgram(road.laptop, program, cgroup, below),
  sources: [`${laptop.ipv4}/32`, home.prefix6, home.lan6],
});

test("P5 everything but one program: it goes direct as the machine itself, another by the node", async () => {
  await lay("everything", rule("one", [app(named)], "direct"));
  await expectWays(road, { direct: probes }, by(named));
  await expectWays(road, { tunnel: probes }, by(other));
  await expectWays(road, { tunnel: probes });
});

test("P5 only one program: it goes by the node, another direct", async () => {
  await lay("only", rule("one", [app(named)], "tunnel"));
  await expectWays(road, { tunnel: probes }, by(named));
  await expectWays(road, { direct: probes }, by(other));
  await expectWays(road, { direct: probes });
});

test("P5 a blocked program is refused in both modes, and nobody else", async () => {
  for (const mode of ["everything", "only"] as const) {
    await lay(mode, rule("one", [app(named)], "block"), rule("two", [app(other)], "direct"));
    await expectWays(road, { refused: probes }, by(named));
    await expectWays(road, { direct: probes }, by(other));
  }
});

test("P5 a unit's programs go its way, whatever they are, and those of another unit do not", async () => {
  await lay("everything", rule("one", [{ kind: "unit", name: "sync.service" }], "direct"));
  await expectWays(road, { direct: probes }, by(other, "sync.service"));
  await expectWays(road, { tunnel: probes }, by(other, "sync2.service"));
});

test("P5 sockets have the addresses of their lane from the start: nothing is translated on the way", async () => {
  await lay("everything", rule("one", [app(named)], "direct"));
  const told = async (machine: Machine, host: string) =>
    (await machine.exec(["curl", "-s", "-m", "5", "-w", "%{local_ip}", "-o", "/dev/null", `http://${host}/json`]))
      .stdout;
  expect(await told(by(named).machine, web.ipv4)).toBe(laptop.ipv4);
  expect(await told(by(named).machine, `[${web.ipv6}]`)).toContain(home.prefix6.replace("::/64", ":"));
  expect(await told(by(other).machine, web.ipv4)).toBe(road.node.inside4.replace(/1$/, "2"));
  expect(await told(by(other).machine, `[${web.ipv6}]`)).toBe(road.node.inside6?.replace(/1$/, "2"));
});

test("P5 a program that runs already goes by the rule with its next socket, and each change of it", async () => {
  await lay("everything");
  const { machine } = by(named);
  const code = `$| = 1; while (<STDIN>) { print qx(curl -s -m 5 http://$1/json), "\\n" if /^(\\S+)$/ }`;
  const child = machine.spawn([named, "-e", code]);
  const seen = async (host: string) => {
    const answer = firstLine(child, (line) => line !== "", "an answer");
    child.stdin?.write(`${host}\n`);
    return (JSON.parse(await answer) as { address: string }).address;
  };
  expect(await seen(web.ipv4)).toBe(road.node.address4);
  await lay("everything", rule("one", [app(named)], "direct"));
  expect(await seen(web.ipv4)).toBe(home.ipv4);
  expect(await seen(`[${web.ipv6}]`)).toContain(home.prefix6.replace("::/64", ":"));
  await lay("only", rule("one", [app(named)], "tunnel"));
  expect(await seen(web.ipv4)).toBe(road.node.address4);
  expect(await seen(`[${web.ipv6}]`)).toBe(road.node.address6);
  await lay("only", rule("two", [app(other)], "tunnel"));
  expect(await seen(web.ipv4)).toBe(home.ipv4);
  child.kill("SIGKILL");
});

test("P8 the helper is killed: programs keep their ways, also those that start while it is dead", async () => {
  await lay("only", rule("one", [app(named)], "tunnel"), rule("two", [app(other)], "block"));
  await road.culvert.kill();
  await expectWays(road, { refused: probes }, by(other));
  await expectWays(road, { direct: probes });
  await road.culvert.start();
  await road.culvert.waitFor(["connected"]);
  await expectWays(road, { tunnel: probes }, by(named));
  await expectWays(road, { refused: probes }, by(other));
});

test("P11 off: nobody is marked, and nothing of it is left", async () => {
  await lay("everything", rule("one", [app(named)], "block"));
  await expectWays(road, { refused: probes }, by(named));
  expect((await road.culvert.cli("down")).code).toBe(0);
  await expectWays(road, { direct: probes }, by(named));
  expect((await road.laptop.exec("ls /run/culvert")).stdout).not.toContain("bpf");
});
