// P3: names of a program go its lane. Two programs ask the same name at the same address; who was asked, and from where, is
// told by the resolvers of the lab and by the wires. Over both families, by UDP and TCP, to this machine itself as well.
import { afterAll, beforeAll, expect, test } from "vitest";

import type { Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import { query } from "../lab/flood.ts";
import type { Machine } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import { asProgram, makeCgroup, makeProgram, removeCgroup } from "../lab/program.ts";
import { onSecond } from "./allowed.ts";
import { basePolicy, openConnected, type Road } from "./road.ts";

const { authority, home, laptop, printer, resolver } = places;
const stub = "127.0.0.53";

let cgroup: string;
let road: Road;
let named: string;
let other: string;
beforeAll(async () => {
  cgroup = makeCgroup();
  road = await openConnected({ control: [], cgroup, allowed: { resolvers: [home.gateway, resolver.ipv4] } });
  named = makeProgram(road.lab, "named");
  other = makeProgram(road.lab, "other");
});
afterAll(async () => {
  await road.close();
  removeCgroup(cgroup);
});

const by = (program: string): Machine => asProgram(road.laptop, program, cgroup);
const lay = (mode: Policy["mode"], lane: Lane, more: Partial<Policy> = {}) => {
  const one: PolicyRule = { id: "one", name: "one", match: { apps: [{ kind: "executable", path: named }] }, lane };
  return road.culvert.setPolicy({ ...basePolicy, mode, rules: [one], ...more });
};
const inside = (): readonly string[] => [road.node.inside4, road.node.inside6].filter((a) => a !== null);
const overs = ["udp", "tcp"] as const;
type Over = (typeof overs)[number];

test("P3 a direct program's names are asked of the uplink's resolver, another's at the same address of the node's", async () => {
  await lay("everything", "direct");
  const since = Date.now();
  for (const at of inside())
    for (const over of overs) {
      const name = fresh();
      expect(await asks(by(named), name, at, over), `${at} ${over}`).toBe("answered");
      expect(await answeredBy(name), `${at} ${over}`).toEqual({ router: [laptop.ipv4], node: [] });
      const again = fresh();
      expect(await asks(by(other), again, at, over), `${at} ${over}`).toBe("answered");
      expect(await answeredBy(again), `${at} ${over}`).toEqual({ router: [], node: [expect.any(String)] });
    }
  await nothingBeside(since);
});

test("P3 whoever a direct program asks, also this machine itself, the uplink's resolver answers", async () => {
  const since = Date.now();
  for (const at of [stub, resolver.ipv4, resolver.ipv6, printer.ipv4, home.gateway, authority.ipv4])
    for (const over of overs) {
      const name = fresh();
      expect(await asks(by(named), name, at, over), `${at} ${over}`).toBe("answered");
      expect(await answeredBy(name), `${at} ${over}`).toEqual({ router: [laptop.ipv4], node: [] });
    }
  await nothingBeside(since);
});

test("P3 a program without a rule reaches neither that resolver's lane nor another's servers", async () => {
  const since = Date.now();
  for (const { at, port } of [
    { at: "127.0.0.1", port: 288 },
    { at: "::1", port: 288 },
    { at: resolver.ipv4, port: 53 },
    { at: home.gateway, port: 53 },
  ])
    for (const over of overs) {
      const name = fresh();
      expect(await asks(by(other), name, at, over, port), `${at} ${over}`).toBe("refused");
      expect(askedAt(name), `${at} ${over}`).toEqual({ router: [], node: [] });
    }
  await nothingBeside(since);
});

test("P3 a query of a socket bound to the uplink does not leave by it under another address (B)", async () => {
  const since = Date.now();
  for (const at of [resolver.ipv4, resolver.ipv6]) {
    const name = fresh();
    expect(await asks(by(named), name, at, "udp", 53, laptop.uplink)).toBe("refused");
    expect(askedAt(name)).toEqual({ router: [], node: [] });
  }
  await nothingBeside(since);
});

test("P3 a blocked program asks nobody, not even this machine itself", async () => {
  await lay("everything", "block");
  const since = Date.now();
  for (const at of [stub, ...inside(), home.gateway])
    for (const over of overs) {
      const name = fresh();
      expect(await asks(by(named), name, at, over), `${at} ${over}`).toBe("refused");
      expect(askedAt(name), `${at} ${over}`).toEqual({ router: [], node: [] });
    }
  await nothingBeside(since);
});

test("P3 only one program inside: its names are asked of the node's resolver, another's of the router as ever", async () => {
  await lay("only", "tunnel");
  for (const at of [home.gateway, resolver.ipv4, resolver.ipv6, stub])
    for (const over of overs) {
      const name = fresh();
      expect(await asks(by(named), name, at, over), `${at} ${over}`).toBe("answered");
      expect(await answeredBy(name), `${at} ${over}`).toEqual({ router: [], node: [expect.any(String)] });
    }
  const name = fresh();
  expect(await asks(by(other), name, home.gateway, "udp")).toBe("answered");
  expect(await answeredBy(name)).toEqual({ router: [laptop.ipv4], node: [] });
});

test("X2 the command line says who is asked for a program's name", async () => {
  await lay("everything", "direct");
  const told = async (...more: string[]) =>
    (await road.culvert.json<{ name: { servers: string[] } }>("explain", ...more, `x.${authority.zone}`)).name.servers;
  expect(await told("--app", named)).toEqual([home.gateway, resolver.ipv4]);
  expect(await told()).toEqual(inside());
});

let turn = 0;
const fresh = (): string => `p3-lane-${(turn += 1)}.${authority.zone}`;

/** A query as programs make it themselves: sent, and an answer within two seconds or not. */
async function asks(machine: Machine, name: string, at: string, over: Over, port = 53, device = ""): Promise<string> {
  const script = [
    "use IO::Socket::IP; use Socket;",
    "my ($at, $port, $over, $hex, $device) = @ARGV; my $bytes = pack('H*', $hex);",
    "my $s = IO::Socket::IP->new(PeerHost => $at, PeerPort => $port, Proto => $over, Timeout => 2,",
    "  Type => $over eq 'udp' ? SOCK_DGRAM : SOCK_STREAM,",
    "  $device ? (Sockopts => [[SOL_SOCKET, 25, $device]]) : ()) or exit print 'refused';",
    "alarm 2; $SIG{ALRM} = sub { print 'refused'; exit };",
    "syswrite($s, $over eq 'tcp' ? pack('n', length $bytes) . $bytes : $bytes) or exit print 'refused';",
    "my $n = sysread($s, my $got, 2048); exit print 'refused' unless $n;",
    "$got = substr($got, 2) if $over eq 'tcp';",
    "print((unpack('n', substr($got, 2, 2)) & 15) == 0 ? 'answered' : 'failed');",
  ].join("\n");
  const run = ["perl", "-e", script, at, String(port), over, query(name), device];
  return (await machine.exec(run, { mayFail: true, timeoutMs: 10_000 })).stdout;
}

/** Who has been asked by the time that somebody was. */
function answeredBy(name: string): Promise<ReturnType<typeof askedAt>> {
  return until(`who was asked for ${name}`, () => {
    const asked = askedAt(name);
    return asked.router.length + asked.node.length > 0 ? asked : undefined;
  });
}

function askedAt(name: string): { readonly router: readonly unknown[]; readonly node: readonly unknown[] } {
  const at = (machine: string): readonly unknown[] =>
    road.lab
      .events(machine, "resolve")
      .filter((e) => e["name"] === name)
      .map((e) => e["from"]);
  return { router: at("router"), node: at(road.node.machine) };
}

async function nothingBeside(since: number): Promise<void> {
  const [first, second] = [
    await road.home.look(road.allowed, since),
    await road.second.look(onSecond(road.allowed), since),
  ];
  expect({ home: first.beside, second: second.beside }).toEqual({ home: [], second: [] });
}
