// A small plan written by hand that keeps every promise, and how holes are cut into it: what prove.test.ts tries the prover on.
import type { Address, Family, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import { defaultPolicy, type Policy } from "../contract/policy.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import type { NftChain, NftMatch, NftRule, NftTable } from "../plan/nft.ts";
import { firstMetric, lastMetric, linkName, markMask, marks, priorities, tables } from "../plan/numbers.ts";
import type { Plan, PlanRoute, PlanRule } from "../plan/plan.ts";
import { factsOf, line } from "./ground.ts";
import type { ProofInput } from "./prove.ts";

const exit: Exit = {
  endpoint: { address: "203.0.113.10" as Address, port: 51820 },
  inside: ["10.77.0.2/32", "fd77::2/128"] as InterfaceAddress[],
  dns: ["10.77.0.1" as Address],
  allowedIps: ["0.0.0.0/0", "::/0"] as Prefix[],
  mtu: null,
};
const policy: Policy = {
  ...defaultPolicy,
  rules: [
    { id: "d", name: "direct", match: { destination: ["198.51.100.0/24" as Prefix] }, lane: "direct" },
    { id: "b", name: "block", match: { destination: ["192.88.99.0/24" as Prefix] }, lane: "block" },
  ],
  welcome: [{ protocol: "tcp", port: 22, from: [] }],
};
const facts: Facts = factsOf({
  links: ["eth0 192.168.1.7/24 2001:db8:1::7/64 fe80::7/64"],
  routes: ["default via 192.168.1.1 dev eth0 metric 100", "::/0 via fe80::1 dev eth0 metric 1024"],
  sysctls: { "net.ipv4.ip_forward": "1" },
});

export type Change = (plan: Plan) => Plan;

export function input(change: Change = (p) => p): ProofInput {
  const off: Plan = { ...plan("locked"), state: "off", order: "gate-last", link: null, routes: [], rules: [], nft: [] };
  return {
    ...{ policy, facts, exit },
    plans: {
      connecting: change(plan("connecting")),
      connected: change(plan("connected")),
      locked: change(plan("locked")),
      off,
    },
  };
}

export function plan(state: "connecting" | "connected" | "locked"): Plan {
  const open = state === "connected";
  return {
    ...{ state, order: open ? "gate-last" : "gate-first", nexthops: [], sysctls: [], dns: null, apps: null },
    link: { name: linkName, mtu: 1420, txQueueLen: 500, addresses: exit.inside },
    routes: ([4, 6] as const).flatMap((family) => routes(family, open)),
    rules: ([4, 6] as const).flatMap(rules),
    nft: gate(open),
  };
}

const any = { 4: "0.0.0.0/0" as Prefix, 6: "::/0" as Prefix };
const gateway = { 4: "192.168.1.1" as Address, 6: "fe80::1" as Address };

function routes(family: Family, open: boolean): PlanRoute[] {
  const dev = (name: string, via: Address | null): PlanRoute["to"] => ({
    kind: "dev",
    dev: name,
    via,
    onlink: via !== null,
    src: null,
  });
  const one = (table: number, prefix: Prefix, to: PlanRoute["to"], metric = firstMetric): PlanRoute => ({
    family,
    table,
    prefix,
    metric,
    to,
  });
  const stop = (table: number): PlanRoute => one(table, any[family], { kind: "unreachable" }, lastMetric);
  const four = [
    one(tables.engine, "203.0.113.10/32" as Prefix, dev("eth0", gateway[4])),
    one(tables.lan, "192.168.1.0/24" as Prefix, dev("eth0", null)),
    one(7610, "198.51.100.0/24" as Prefix, dev("eth0", gateway[4])),
    one(7611, "192.88.99.0/24" as Prefix, { kind: "prohibit" }),
  ];
  return [
    stop(tables.tunnel),
    stop(tables.uplink),
    one(tables.uplink, any[family], dev("eth0", gateway[family])),
    ...(open ? [one(tables.tunnel, any[family], dev(linkName, null))] : []),
    ...(family === 4 ? four : [one(tables.lan, "fe80::/64" as Prefix, dev("eth0", null))]),
  ];
}

function rules(family: Family): PlanRule[] {
  const engine = { value: marks.engine, mask: markMask };
  const to = (priority: number, table: number): PlanRule => ({ family, priority, action: { kind: "lookup", table } });
  const outside = family === 4 ? "192.168.1.7/32" : "2001:db8:1::/64";
  const inside = family === 4 ? "10.77.0.2/32" : "fd77::2/128";
  return [
    { ...to(priorities.engine, tables.engine), mark: engine },
    { family, priority: priorities.engineStop, mark: engine, action: { kind: "unreachable" } },
    { ...to(priorities.inside, tables.tunnel), from: inside as Prefix },
    // IPv6 asks again with a source after a refusal: the rule names the service as well
    {
      ...to(priorities.outside, tables.uplink),
      from: outside as Prefix,
      ...(family === 6 ? { protocol: 6, sport: { from: 22, to: 22 } } : {}),
    },
    to(priorities.lan, tables.lan),
    ...(family === 4 ? [to(priorities.firstPolicy, 7610), to(priorities.firstPolicy + 1, 7611)] : []),
    to(priorities.catchAll, tables.tunnel),
    ...(family === 6 ? [{ family, priority: priorities.stop, action: { kind: "unreachable" } } as const] : []),
  ];
}

export const accept = (...matches: readonly NftMatch[]): NftRule => line("accept", ...matches);
export const drop = (...matches: readonly NftMatch[]): NftRule => line("drop", ...matches);
export const daddr = (prefix: string): NftMatch => ({ kind: "daddr", prefix: prefix as Prefix });
const saddr = (prefix: string): NftMatch => ({ kind: "saddr", prefix: prefix as Prefix });
export const out = (name: string): NftMatch => ({ kind: "oifname", name });
export const of = (protocol: number): NftMatch => ({ kind: "protocol", protocol });
const to = (port: number): NftMatch => ({ kind: "dport", from: port, to: port });
const from = (port: number): NftMatch => ({ kind: "sport", from: port, to: port });
const mark = (value: number): NftMatch => ({ kind: "mark", mask: markMask, value });

function gate(open: boolean): NftTable[] {
  const sourceRouted = [
    drop({ kind: "ip-option", option: "lsrr" }),
    drop({ kind: "ip-option", option: "ssrr" }),
    drop({ kind: "routing-header" }),
  ];
  const sourceRouted3 = [drop({ kind: "hdrlength", above: 6 }), drop({ kind: "routing-header" })];
  const noQueries = [6, 17].flatMap((protocol) => [53, 853].map((port) => drop(of(protocol), to(port))));
  const nd = (...types: number[]): NftMatch[] => [
    { kind: "icmp-type", family: 6, types },
    { kind: "hops", family: 6, value: 255 },
  ];
  const lease6 = [of(17), from(546), to(547)];
  const neighbours = [
    accept(daddr("ff02::/16"), ...nd(133, 135, 136)),
    accept(daddr("fe80::/10"), ...nd(135, 136)),
    accept(daddr("255.255.255.255/32"), of(17), from(68), to(67)),
    accept(daddr("192.168.1.1/32"), of(17), from(68), to(67)),
    accept(daddr("ff02::1:2/128"), ...lease6),
    accept(daddr("fe80::/10"), ...lease6),
  ];
  const stayInside = ["10.77.0.2/32", "fd77::2/128"].map((own) => drop(saddr(own)));
  const besides = [
    ...noQueries,
    accept(out("eth0"), daddr("192.168.1.0/24")),
    accept(out("eth0"), daddr("fe80::/64")),
    accept(out("eth0"), daddr("224.0.0.251/32"), of(17), to(5353)),
    accept(out("eth0"), daddr("239.255.255.250/32"), of(17), to(1900)),
    accept(out("eth0"), daddr("224.0.0.22/32"), of(2)),
    accept(out("eth0"), daddr("ff02::fb/128"), of(17), to(5353)),
    accept(out("eth0"), daddr("ff02::c/128"), of(17), to(1900)),
    accept(out("eth0"), daddr("ff02::16/128"), { kind: "icmp-type", family: 6, types: [143] }),
    accept(out("eth0"), daddr("198.51.100.0/24")),
  ];
  const inTunnel = [
    drop(out(linkName), mark(marks.engine)),
    ...(open ? [accept(out(linkName), saddr("10.77.0.2/32"), daddr("10.77.0.1/32"))] : []),
    drop(out(linkName), daddr("198.51.100.0/24")),
    drop(out(linkName), daddr("192.88.99.0/24")),
    ...noQueries.map((rule) => ({ ...rule, matches: [out(linkName), ...rule.matches] })),
    ...(open ? ["10.77.0.2/32", "fd77::2/128"].map((own) => accept(out(linkName), saddr(own))) : []),
    drop(out(linkName)),
  ];
  const answer: NftMatch[] = [
    of(6),
    from(22),
    { kind: "ct-state", states: ["established"] },
    { kind: "ct-direction", direction: "reply" },
  ];
  const output: NftRule[] = [
    ...sourceRouted,
    accept(out("lo")),
    ...inTunnel,
    ...stayInside,
    accept(mark(marks.engine), daddr("203.0.113.10/32"), of(17), to(51820)),
    drop(mark(marks.engine)),
    drop(mark(marks.reply)),
    ...neighbours,
    ...["192.168.1.7/32", "2001:db8:1::/64"].flatMap((own) => [
      line({ kind: "set-mark", mask: markMask, value: marks.reply }, saddr(own), ...answer),
      accept(saddr(own), ...answer),
    ]),
    ...besides,
    drop(),
  ];
  const egress: NftRule[] = [
    accept(out("lo")),
    accept(out(linkName)),
    ...sourceRouted3,
    ...stayInside,
    accept({ kind: "ethertype", type: 0x0806 }, { kind: "arp-saddr", prefix: "192.168.1.7/32" as Prefix }),
    accept({ kind: "ethertype", type: 0x0806 }, { kind: "arp-saddr", prefix: "0.0.0.0/32" as Prefix }),
    accept({ kind: "ethertype", type: 0x888e }),
    accept(mark(marks.engine), daddr("203.0.113.10/32"), of(17)),
    ...neighbours,
    accept(out("eth0"), mark(marks.reply), saddr("192.168.1.7/32")),
    accept(out("eth0"), mark(marks.reply), saddr("2001:db8:1::/64")),
    ...besides,
    drop(),
  ];
  const prerouting = [
    ...sourceRouted,
    ...["10.77.0.2/32", "fd77::2/128"].map((own) =>
      drop(daddr(own), { kind: "iifname", not: true, name: linkName }, { kind: "iifname", not: true, name: "lo" }),
    ),
  ];
  const input = [
    accept({ kind: "iifname", name: "lo" }),
    accept({ kind: "iifname", name: linkName }),
    drop({ kind: "icmp-type", family: 4, types: [5] }),
    drop({ kind: "icmp-type", family: 6, types: [137] }),
    accept(of(6), to(22)),
    accept({ kind: "ct-state", states: ["established", "related"] }),
    accept(saddr("192.168.1.0/24")),
    accept(saddr("fe80::/64")),
    accept(of(17), from(67), to(68)),
    drop(),
  ];
  return [
    {
      family: "inet",
      name: "culvert",
      owned: true,
      sets: [],
      chains: [
        hook("prerouting", prerouting, "accept"),
        hook("input", input),
        hook("forward", [drop()]),
        hook("output", output),
      ],
    },
    { family: "netdev", name: "culvert", owned: true, sets: [], chains: [hook("egress", egress)] },
  ];
}

function hook(
  name: NonNullable<NftChain["base"]>["hook"],
  lines: readonly NftRule[],
  policy: "accept" | "drop" = "drop",
): NftChain {
  const base = { type: "filter", hook: name, priority: 0, policy } as const;
  return { name, base: name === "egress" ? { ...base, devices: { kind: "all" } } : base, rules: lines };
}

export function chainOf(p: Plan, name: string, change: (rules: readonly NftRule[]) => readonly NftRule[]): Plan {
  const chains = (t: NftTable): NftChain[] =>
    t.chains.map((c) => (c.name === name ? { ...c, rules: change(c.rules) } : c));
  return { ...p, nft: p.nft.map((t) => ({ ...t, chains: chains(t) })) };
}

export function inChain(name: string, change: (rules: readonly NftRule[]) => readonly NftRule[]): Change {
  return (p) => chainOf(p, name, change);
}

export function both(change: (rules: readonly NftRule[]) => readonly NftRule[], also: Change = (p) => p): Change {
  return (p) => also(chainOf(chainOf(p, "output", change), "egress", change));
}

export function withRoute(table: number, change: (route: PlanRoute) => PlanRoute): Change {
  return (p) => ({ ...p, routes: p.routes.map((r) => (r.table === table ? change(r) : r)) });
}
