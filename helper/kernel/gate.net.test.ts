// The gate on a real kernel: what is written is what is read, nothing slips through a change, and who may change it.
// The numbers are those of the kernel's facts: A, F, 5.x, 11.x. Needs root and a network namespace of its own.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { flood, framesOut, makeUplink, removeUplink, sh, until } from "./apart.ts";
import type { NftChain, NftMatch, NftRule, NftTable } from "../plan/nft.ts";
import type { Prefix } from "../contract/prefix.ts";
import { tableName } from "../plan/numbers.ts";
import { loadNative, type NftChange } from "./native.ts";
import { nftChanges } from "./nft-changes.ts";
import { readTables } from "./read.ts";

const native = loadNative();
let socket: number;
let stop: (() => Promise<void>) | undefined;

beforeAll(makeUplink);
afterAll(removeUplink);
beforeEach(() => {
  socket = native.nftOpen();
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  set([]);
  native.closeFd(socket);
});

describe("what is written is what is read", () => {
  test.each(everyMatch())("%s", (_name, family, match) => {
    const sets = [
      { name: "four", type: "ipv4_addr", elements: prefixes("0.0.0.0/32", "10.0.0.0/8", "255.255.255.0/24") },
      { name: "six", type: "ipv6_addr", elements: prefixes("2001:db8::/32", "fe80::/10") },
    ] as const;
    const wanted: NftTable = { ...table(family, [rule([match])]), sets };
    set([wanted]);
    expect(left([wanted])).toEqual([]);
    const changed: NftTable = { ...wanted, chains: [{ ...chainOf(family), rules: [rule([match]), drop] }] };
    expect(left([changed])).toHaveLength(1);
  });

  test.each([
    { kind: "accept" },
    { kind: "drop" },
    { kind: "return" },
    { kind: "reject" },
    { kind: "jump", chain: "other" },
    { kind: "set-mark", mask: 0xff00_0000, value: 0xc200_0000 },
  ] as const)("verdict $kind", (verdict) => {
    const other: NftChain = { name: "other", base: null, rules: [] };
    for (const matches of [[], [{ kind: "protocol", protocol: 6 }]] as const) {
      const wanted = table("inet", [{ note: "a note", matches, counter: true, verdict }]);
      set([{ ...wanted, chains: [...wanted.chains, other] }]);
      expect(left([{ ...wanted, chains: [...wanted.chains, other] }])).toEqual([]);
    }
  });

  test("a rule that another put there is seen and goes", () => {
    const wanted = { ...table("inet", [drop]), owned: false };
    set([wanted]);
    sh(`nft add rule inet ${tableName} gate meta cpu 1 accept`);
    expect(left([wanted])).toMatchObject([{ kind: "chain.fill", chain: "gate" }]);
    set([wanted]);
    expect(left([wanted])).toEqual([]);
  });

  test("a set of thousands of prefixes comes back as it went", () => {
    const elements = Array.from({ length: 5000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/25` as Prefix);
    const wanted: NftTable = { ...table("inet", []), sets: [{ name: "four", type: "ipv4_addr", elements }] };
    set([wanted]);
    expect(left([wanted])).toEqual([]);
    const fewer: NftTable = { ...wanted, sets: [{ name: "four", type: "ipv4_addr", elements: elements.slice(1) }] };
    expect(left([fewer]).map((c) => c.kind)).toEqual(["set.fill"]);
  });

  test("a transaction that is refused changes nothing and names the step", () => {
    set([table("inet", [drop])]);
    const named = { family: "inet", table: tableName } as const;
    const steps: NftChange[] = [
      { ...named, kind: "chain.fill", chain: "gate", rules: [] },
      { ...named, kind: "chain.fill", chain: "nosuch", rules: [drop] },
    ];
    expect(native.nftApply(socket, steps)).toMatchObject([{ index: 1, code: "ENOENT" }]);
    expect(left([table("inet", [drop])])).toEqual([]);
  });
});

describe("changes under a flood let nothing out", () => {
  test.each([
    ["inet output", "inet"],
    ["netdev egress of every device", "netdev"],
  ] as const)("2,000 changes of %s in place", async (_name, family) => {
    stop = await flood();
    await until(() => framesOut() > 1000);
    const one = [table(family, [rule([{ kind: "oifname", name: "lo" }]), drop])];
    const other = [table(family, [drop])];
    set(one);
    const before = framesOut();
    let met = 0;
    // on a busy machine the flood may have to wait for a core of its own: until it was met, at most so long
    const end = performance.now() + 30_000;
    for (let i = 0; i < 1000 || (met <= 100 && performance.now() < end); i++) {
      set(other);
      // a refill starts the counters again: what is seen is what met the rules of one moment
      met += i % 10 === 0 ? dropped() : 0;
      set(one);
    }
    expect(framesOut() - before).toBe(0);
    expect(met).toBeGreaterThan(100);
  });

  test("a lock is made, and made anew with another hook, without an open instant once it stood", async () => {
    const named = (name: string) => ({ ...chainOf("netdev"), name, rules: [drop] });
    const wanted = table("netdev", []);
    stop = await flood();
    set([{ ...wanted, chains: [named("one")] }]);
    const before = framesOut();
    for (let i = 0; i < 200; i++) set([{ ...wanted, chains: [named(i % 2 === 0 ? "other" : "one")] }]);
    expect(framesOut() - before).toBe(0);
  });
});

describe("every device", () => {
  test("a link renamed while it is up stays locked by the empty prefix, and gets free of its name (F)", async () => {
    const names = { ...chainOf("netdev"), rules: [drop] };
    set([{ ...table("netdev", []), chains: [names] }]);
    stop = await flood();
    const before = framesOut();
    sh("ip link set up0 name up9");
    await until(() => dropped() > 1000);
    expect(framesOut() - before).toBe(0);
    sh("ip link set up9 name up0");
    const base = { type: "filter", hook: "egress", priority: 0, policy: "drop" } as const;
    const byName: NftChain = {
      name: "gate",
      base: { ...base, devices: { kind: "names", names: ["up0"] } },
      rules: [drop],
    };
    set([{ ...table("netdev", []), chains: [byName] }]);
    expect(framesOut() - before).toBe(0);
    sh("ip link set up0 name up9");
    await until(() => framesOut() - before > 100);
    sh("ip link set up9 name up0");
  });

  test("devices by name are added and taken away in place", () => {
    const base = { type: "filter", hook: "egress", priority: 0, policy: "drop" } as const;
    const chain = (...names: string[]): NftTable => ({
      ...table("netdev", []),
      chains: [{ name: "gate", base: { ...base, devices: { kind: "names", names } }, rules: [drop] }],
    });
    for (const names of [["up0"], ["up0", "lo"], ["lo"], ["lo", "born-later"], ["up0"]]) {
      const changes = left([chain(...names)]);
      expect(changes.some((c) => c.kind === "chain.del")).toBe(false);
      set([chain(...names)]);
      expect(left([chain(...names)])).toEqual([]);
    }
  });
});

describe("whose gate it is", () => {
  test("others cannot change it, and a flush of everything leaves it (5.3, 5.4)", () => {
    set([table("inet", [drop])]);
    for (const words of [
      "delete table inet culvert",
      "flush chain inet culvert gate",
      "add rule inet culvert gate accept",
    ])
      expect(() => sh(`nft ${words}`)).toThrow(/not permitted/);
    sh("nft flush ruleset");
    expect(left([table("inet", [drop])])).toEqual([]);
  });

  test("an owner's end leaves it standing, and the next one takes it over without a change (5.7, 5.8)", () => {
    set([table("inet", [drop])]);
    native.closeFd(socket);
    socket = native.nftOpen();
    expect(left([table("inet", [drop])])).toMatchObject([{ kind: "table.set", owned: true }]);
    set([table("inet", [drop])]);
    expect(() => sh("nft delete table inet culvert")).toThrow(/not permitted/);
  });

  test("what this kernel can is found out without leaving anything", () => {
    expect(native.nftProbe(socket)).toEqual({ nft: true, owner: true, devicePrefix: true, redirects: true });
    expect(native.nftList(socket)).toEqual([]);
  });
});

const drop: NftRule = { note: "nothing else leaves", matches: [], counter: true, verdict: { kind: "drop" } };

function rule(matches: readonly NftMatch[]): NftRule {
  return { note: "a note", matches, counter: false, verdict: { kind: "accept" } };
}

function chainOf(family: NftTable["family"]): NftChain {
  const base = { type: "filter", priority: 0, policy: "drop" } as const;
  const hook =
    family === "inet" ? ({ hook: "output" } as const) : ({ hook: "egress", devices: { kind: "all" } } as const);
  return { name: "gate", base: { ...base, ...hook }, rules: [] };
}

function table(family: NftTable["family"], rules: readonly NftRule[]): NftTable {
  return { family, name: tableName, owned: true, sets: [], chains: [{ ...chainOf(family), rules }] };
}

function left(wanted: readonly NftTable[]): readonly NftChange[] {
  return nftChanges(wanted, readTables(native, { route: -1, nft: socket }), native.netlinkPort(socket));
}

function set(wanted: readonly NftTable[]): void {
  const refused = native.nftApply(socket, left(wanted));
  if (refused.length > 0) throw new Error(JSON.stringify(refused));
}

function dropped(): number {
  const rules = readTables(native, { route: -1, nft: socket }).flatMap((t) => t.chains.flatMap((c) => c.rules));
  return rules.reduce((sum, r) => sum + ("packets" in r && r.verdict.kind === "drop" ? r.packets : 0), 0);
}

function prefixes(...texts: string[]): readonly Prefix[] {
  return texts as Prefix[];
}

function everyMatch(): readonly (readonly [string, NftTable["family"], NftMatch])[] {
  const prefix = (text: string) => text as Prefix;
  const both: readonly NftMatch[] = [
    { kind: "iifname", name: "up0" },
    { kind: "oifname", not: true, name: "up*" },
    { kind: "mark", mask: 0xff00_0000, value: 0xc100_0000 },
    { kind: "mark", not: true, mask: 0xff00_0000, value: 0xc100_0000 },
    { kind: "saddr", prefix: prefix("192.0.2.0/24") },
    { kind: "saddr", not: true, prefix: prefix("192.0.2.0/23") },
    { kind: "daddr", prefix: prefix("0.0.0.0/0") },
    { kind: "daddr", prefix: prefix("2001:db8::/30") },
    { kind: "saddr", prefix: prefix("2001:db8::1/128") },
    { kind: "daddr", not: true, prefix: prefix("::/0") },
    { kind: "saddr-set", family: 4, set: "four" },
    { kind: "daddr-set", not: true, family: 6, set: "six" },
    { kind: "family", family: 4 },
    { kind: "family", family: 6 },
    { kind: "protocol", protocol: 17 },
    { kind: "sport", from: 53, to: 53 },
    { kind: "dport", from: 1, to: 65_535 },
    { kind: "icmp-type", family: 4, types: [3] },
    { kind: "icmp-type", family: 4, types: [11, 3] },
    { kind: "icmp-type", family: 6, types: [133, 134, 135] },
    { kind: "hops", family: 4, value: 255 },
    { kind: "hops", family: 6, value: 255 },
    { kind: "ip-option", option: "lsrr" },
    { kind: "ip-option", option: "ssrr" },
    { kind: "routing-header" },
    { kind: "hdrlength", above: 6 },
    { kind: "skuid", from: 0, to: 0 },
    { kind: "skuid", from: 1, to: 70_000 },
  ];
  const inet: readonly NftMatch[] = [
    { kind: "ct-state", states: ["related", "established"] },
    { kind: "ct-state", states: ["new", "invalid", "untracked"] },
    { kind: "ct-direction", direction: "original" },
    { kind: "ct-direction", direction: "reply" },
    { kind: "fib-daddr-type", type: "local" },
    { kind: "fib-daddr-type", not: true, type: "multicast" },
  ];
  const netdev: readonly NftMatch[] = [
    { kind: "ethertype", type: 0x0806 },
    { kind: "arp-saddr", prefix: prefix("192.0.2.2/32") },
    { kind: "arp-daddr", not: true, prefix: prefix("192.0.2.0/24") },
  ];
  const named = (family: NftTable["family"]) => (match: NftMatch) =>
    [`${family} ${JSON.stringify(match)}`, family, match] as const;
  return [...[...both, ...inet].map(named("inet")), ...[...both, ...netdev].map(named("netdev"))];
}
