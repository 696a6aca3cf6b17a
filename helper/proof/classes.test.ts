// Cubes against single packets: whatever the walk says of a whole class, every packet of it must meet. Random machines,
// random packets, the printed seed repeats them.
import fc from "fast-check";
import { expect, test } from "vitest";

import { parsePrefix, type Address, type Prefix } from "../contract/prefix.ts";
import type { NftMatch, NftRule } from "../plan/nft.ts";
import { single } from "./bundles.ts";
import { classify, classifyAll, everything, explore, type Classes, type Cube } from "./classes.ts";
import { chain, factsOf, line, machine, rule, route, table, value } from "./ground.ts";
import type { Machine, Route } from "./machine.ts";
import { concrete } from "./concrete.ts";
import { inCube, memberOf } from "./member.ts";
import { ctStates, type Flag, type Origin, type PacketValue } from "./packet.ts";
import { questions } from "./questions.ts";
import { walk, type End } from "./walk.ts";

const seed = Number(process.env.SEED ?? 11);

test("a class's walk is the walk of every packet in it, and the classes cover all packets once", () => {
  fc.assert(
    fc.property(anyMachine(), fc.array(anyPacket(), { minLength: 5, maxLength: 5 }), ({ m, routes }, packets) => {
      const classes = classify(questions(m), routes, m.rules);
      for (const packet of packets) {
        const found: { cube: Cube; end: End }[] = [];
        explore(classes, [everything(classes, packet.family, packet.origin, packet.carries)], (asked, leaf) => {
          const { end } = walk(m, asked);
          if (inCube(classes, leaf(), packet, "first")) found.push({ cube: leaf(), end });
          return undefined;
        });
        expect(found.map((f) => f.end)).toEqual([walk(m, concrete(packet, routes)).end]);
      }
    }),
    { seed, numRuns: 150 },
  );
});

test("what is remembered of one machine is said of another only where it is true of it", () => {
  fc.assert(
    fc.property(
      anyMachine(),
      anyMachine(),
      fc.array(anyPacket(), { minLength: 3, maxLength: 3 }),
      (one, two, packets) => {
        const machines = alikeIn(one, two);
        const asked = function* () {
          for (const { m } of machines) yield* questions(m);
        };
        const tables = machines.map(({ m, routes }) => ({ bundles: routes.map(single), rules: m.rules }));
        const classes = classifyAll(asked(), tables);
        for (const packet of packets)
          for (const [i, { m, routes }] of machines.entries()) {
            const mine = classes[i] as Classes;
            const ends: End[] = [];
            explore(mine, [everything(mine, packet.family, packet.origin, packet.carries)], (walked, leaf) => {
              const { end } = walk(m, walked);
              if (inCube(mine, leaf(), packet, "first")) ends.push(end);
              return undefined;
            });
            expect(ends).toEqual([walk(m, concrete(packet, routes)).end]);
          }
      },
    ),
    { seed, numRuns: 60 },
  );
});

interface Made {
  readonly m: Machine;
  readonly routes: Route[];
}

/** Machines that have much in common and differ in something: gate, routes, rules, a link. */
function alikeIn(one: Made, two: Made): Made[] {
  const { m, routes } = one;
  const down = new Map([...m.links].map(([name, link]) => [name, name === "va" ? { ...link, up: false } : link]));
  return [
    one,
    { m: { ...m, nft: two.m.nft }, routes },
    { m, routes: two.routes },
    { m: { ...m, rules: two.m.rules }, routes },
    { m: { ...m, links: down }, routes },
    { m: { ...m, nft: reworded(m.nft) }, routes },
    { m: { ...m, addresses: m.addresses.map((a) => ({ ...a, link: a.link === "va" ? "wa" : "va" })) }, routes },
    { m: { ...m, rules: m.rules.slice(1), sysctls: two.m.sysctls }, routes: routes.slice(0, -1) },
  ];
}

/** The same lines, each asking for something else of its kind. */
function reworded(nft: Machine["nft"]): Machine["nft"] {
  const other = (match: NftMatch): NftMatch => {
    if ("prefix" in match) return { ...match, prefix: prefixes[match.prefix.includes(":") ? 5 : 1] as Prefix };
    return match.kind === "protocol" ? { ...match, protocol: match.protocol === 6 ? 17 : 6 } : match;
  };
  const lines = (rules: readonly NftRule[]) => rules.map((r) => ({ ...r, matches: r.matches.map(other) }));
  return nft.map((t) => ({ ...t, chains: t.chains.map((c) => ({ ...c, rules: lines(c.rules) })) }));
}

test("where multicast leaves is remembered for the addresses it leaves by", () => {
  const { machine: m, routes } = machine();
  const moved = { ...m, addresses: m.addresses.map((a) => ({ ...a, link: a.link === "va" ? "wa" : "va" })) };
  const classes = classifyAll(
    questions(m),
    [m, moved].map(({ rules }) => ({ bundles: routes.map(single), rules })),
  );
  const ends = [m, moved].map((each, i) => {
    const origin: Origin = { kind: "socket", device: null, source: "set", kernel: false };
    const packet = value({ origin, source: "192.0.2.2" as Address, destination: "224.0.0.9" as Address });
    const mine = classes[i] as Classes;
    const found: End[] = [];
    explore(mine, [everything(mine, 4, packet.origin)], (walked, leaf) => {
      const { end } = walk(each, walked);
      if (inCube(mine, leaf(), packet, "first")) found.push(end);
      return undefined;
    });
    return found;
  });
  expect(ends).toMatchObject([[{ kind: "left", device: "va" }], [{ kind: "left", device: "wa" }]]);
});

test("the member named for a class is in it and ends as the class does", () => {
  fc.assert(
    fc.property(anyMachine(), anyPacket(), ({ m, routes }, { family, origin }) => {
      const classes = classify(questions(m), routes, m.rules);
      explore(classes, [everything(classes, family, origin)], (asked, leaf) => {
        const { end } = walk(m, asked);
        const member = memberOf(classes, leaf());
        if (member === undefined) return undefined;
        expect(inCube(classes, leaf(), member)).toBe(true);
        expect(walk(m, concrete(member, routes)).end).toEqual(end);
        return undefined;
      });
    }),
    { seed, numRuns: 100 },
  );
});

test("a question that was not prepared throws instead of being answered by chance", () => {
  const { machine: m, routes } = machine();
  const classes: Classes = classify([], routes, m.rules);
  const cube = everything(classes, 4, value().origin);
  expect(() => explore(classes, [cube], (asked) => asked.destination({ key: "192.0.2.0/24", prefixes: [] }))).toThrow(
    "not among the classes",
  );
});

const prefixes = [
  "203.0.113.0/24",
  "203.0.113.128/25",
  "192.0.2.0/24",
  "198.51.100.2/32",
  "0.0.0.0/1",
  "2001:db8:f::/48",
  "2001:db8::/32",
];
const pick = <T>(...all: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...all);

function anyRule(): fc.Arbitrary<string> {
  const selector = pick(
    ...["", "from 192.0.2.2/32", "to 203.0.113.0/24", "iif lo", "iif wa", "oif va", "fwmark 0xc4000000/0xff000000"],
    ...["fwmark 0x1/0xff", "uidrange 0-999", "ipproto 17", "ipproto 6 dport 80-90", "not to 203.0.113.128/25"],
  );
  const action = pick(
    "lookup 50",
    "lookup 51",
    "unreachable",
    "lookup 254 suppress_prefixlength 0",
    "goto 150",
    "goto 32766",
  );
  return fc.tuple(pick("-4", "-6"), fc.integer({ min: 100, max: 200 }), selector, action).map(([family, at, s, a]) => {
    const fits = !/(from|to) \d/.test(s) || family === "-4";
    return `${family} ${at}: ${fits ? s : ""} ${a}`.replace(/ +/g, " ");
  });
}

function anyRoute(): fc.Arbitrary<string> {
  return fc
    .tuple(
      pick(...prefixes),
      pick("dev va", "dev wa", "via 192.0.2.1 dev va", "unreachable", "throw", "blackhole"),
      pick(50, 51, 254),
      pick(0, 7, 99),
    )
    .map(([prefix, to, at, metric]) => {
      const kind = to.includes("dev")
        ? `${prefix} ${prefix.includes(":") ? to.replace("192.0.2.1", "2001:db8:1::1") : to}`
        : `${to} ${prefix}`;
      return `${kind} table ${at} metric ${metric}`;
    });
}

function anyMatch(): fc.Arbitrary<NftMatch> {
  const prefix = pick(...prefixes.map((p) => p as Prefix));
  return fc.oneof(
    fc.record({ kind: pick("oifname" as const, "iifname" as const), name: pick("va", "lo", "w*"), not: fc.boolean() }),
    fc.record({ kind: pick("saddr" as const, "daddr" as const), prefix, not: fc.boolean() }),
    fc.record({
      kind: fc.constant("mark" as const),
      mask: pick(0xff00_0000, 0xff),
      value: pick(0xc400_0000, 1),
      not: fc.boolean(),
    }),
    fc.record({ kind: fc.constant("protocol" as const), protocol: pick(6, 17, 58) }),
    fc.constant({ kind: "dport" as const, from: 50, to: 60 }),
    fc.record({ kind: fc.constant("ct-direction" as const), direction: pick("reply" as const, "original" as const) }),
    fc.record({ kind: fc.constant("skuid" as const), from: fc.constant(0), to: fc.constant(0) }),
    fc.record({
      kind: fc.constant("icmp-type" as const),
      family: pick(4 as const, 6 as const),
      types: fc.constant([8, 133]),
    }),
    fc.record({
      kind: fc.constant("fib-daddr-type" as const),
      type: pick("local" as const, "multicast" as const),
      not: fc.boolean(),
    }),
    pick(
      { kind: "ip-option" as const, option: "lsrr" as const },
      { kind: "hdrlength" as const, above: 6 as const },
      { kind: "routing-header" as const },
    ),
  );
}

function anyLine(): fc.Arbitrary<NftRule> {
  const verdict = fc.oneof(
    pick(
      { kind: "accept" as const },
      { kind: "drop" as const },
      { kind: "reject" as const },
      { kind: "return" as const },
    ),
    fc.record({
      kind: fc.constant("set-mark" as const),
      mask: fc.constant(0xff00_0000),
      value: pick(0xc200_0000, 0xc400_0000),
    }),
  );
  return fc.tuple(verdict, fc.array(anyMatch(), { maxLength: 3 })).map(([v, matches]) => line(v, ...matches));
}

function anyMachine(): fc.Arbitrary<{ m: Machine; routes: Route[] }> {
  const lines = (): fc.Arbitrary<NftRule[]> => fc.array(anyLine(), { maxLength: 4 });
  return fc
    .record({
      rules: fc.array(anyRule(), { maxLength: 4 }),
      routes: fc.array(anyRoute(), { maxLength: 6 }),
      output: lines(),
      input: lines(),
      egress: lines(),
      policy: pick("accept" as const, "drop" as const),
      type: pick("filter" as const, "route" as const),
      forwarding: pick("0", "1"),
      strict: pick("0", "1", "2"),
    })
    .map((r) => {
      const egress = r.egress.filter(({ matches }) =>
        matches.every((m) => !["ct-direction", "fib-daddr-type", "skuid"].includes(m.kind)),
      );
      const nft = [
        table("inet", chain("output", r.policy, r.output, r.type), chain("input", "accept", r.input)),
        table("netdev", chain("egress", r.policy, egress)),
      ];
      const sysctls = {
        "net.ipv4.ip_forward": r.forwarding,
        "net.ipv6.conf.all.forwarding": r.forwarding,
        "net.ipv4.conf.all.rp_filter": r.strict,
      };
      const made = machine(
        { rules: r.rules, routes: ["default via 192.0.2.1 dev va", ...unique(r.routes)], sysctls },
        nft,
      );
      return { m: made.machine, routes: made.routes };
    });
}

/** The kernel holds one IPv4 route for a prefix and metric in a table. */
function unique(routes: readonly string[]): string[] {
  const seen = new Set<string>();
  return routes.filter((text) => {
    const { table: at, prefix, metric } = route(text);
    const key = `${at} ${prefix} ${metric}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function anyPacket(): fc.Arbitrary<PacketValue> {
  const origin: fc.Arbitrary<Origin> = fc.oneof(
    fc.record({
      kind: fc.constant("socket" as const),
      device: pick(null, "va", "wa"),
      source: fc.constant("set" as const),
      kernel: fc.boolean(),
    }),
    fc.record({ kind: pick("frame" as const, "arriving" as const), device: pick("va", "wa") }),
  );
  const four = [
    "192.0.2.2",
    "198.51.100.2",
    "203.0.113.200",
    "203.0.113.5",
    "127.0.0.1",
    "224.0.0.9",
    "255.255.255.255",
    "8.8.8.8",
  ];
  const six = ["2001:db8:1::2", "2001:db8:f::200", "ff02::fb", "fe80::9", "::1", "2001:db9::1"];
  return fc
    .record({
      family: pick(4 as const, 6 as const),
      origin,
      from: fc.nat(99),
      to: fc.nat(99),
      ...{ protocol: pick(1, 6, 17, 58, 200), sport: pick(53, 4000), dport: pick(53, 80, 7777), uid: pick(0, 1000) },
      ...{
        mark: pick(0, 1, 0xc400_0000, 0xc400_0001),
        icmpType: pick(8, 133, 0),
        ct: pick(...Object.values(ctStates)),
      },
      flags: fc.subarray<Flag>(["lsrr", "routing-header", "later-fragment", "header-included"]),
    })
    .map(({ from, to, ...fields }) => {
      const all = fields.family === 4 ? four : six;
      return value({
        ...fields,
        source: all[from % all.length] as Address,
        destination: all[to % all.length] as Address,
      });
    });
}

test("the ground understands what it is given", () => {
  expect(parsePrefix("192.0.2.0/24")).toBe(route("192.0.2.0/24 dev va").prefix);
  expect(rule("-4 100: not to 203.0.113.0/24 lookup 50").not).toBe(true);
  expect(factsOf().links.map((l) => l.name)).toEqual(["lo", "va", "wa"]);
});
