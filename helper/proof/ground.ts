// Ground for tests and benches of the model: machines written as `ip` would print them, and packets with the fields that
// matter. Only what the tests need is understood; anything else throws.
import { parseInterfaceAddress, parsePrefix, type Address, type Prefix } from "../contract/prefix.ts";
import type { AddressFact, Facts, LinkFact, RouteFact, RuleFact } from "../plan/facts.ts";
import type { NftChain, NftMatch, NftRule, NftTable, NftVerdict } from "../plan/nft.ts";
import { concrete } from "./concrete.ts";
import { kernelRoutes, machineOf, sortRules, type Machine, type Route } from "./machine.ts";
import { ctStates, type Origin, type Packet, type PacketValue } from "./packet.ts";

/** Two uplinks, the first with the default; a public, a private and a test network. As the kernel findings have it. */
export const uplinks = [
  "va 192.0.2.2/24 2001:db8:1::2/64 fe80::a/64",
  "wa 198.51.100.2/24 2001:db8:2::2/64 fe80::b/64",
];
export const mainRoutes = ["default via 192.0.2.1 dev va", "default via 2001:db8:1::1 dev va metric 1024"];
export const defaultRules = [
  ...["-4 0: lookup 255", "-4 32766: lookup 254", "-4 32767: lookup 253"],
  ...["-6 0: lookup 255", "-6 32766: lookup 254"],
];

export interface Ground {
  readonly links?: readonly string[];
  readonly routes?: readonly string[];
  readonly rules?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
}

/** Facts of a machine: `links` are `name address…`, `routes` and `rules` come on top of the usual ones. */
export function factsOf({ links = uplinks, routes = mainRoutes, rules = [], sysctls = {} }: Ground = {}): Facts {
  const split = ["lo 127.0.0.1/8 ::1/128", ...links].map((text) => text.split(" "));
  const addresses = split.flatMap(([link = "", ...texts]) => texts.map((text) => addressFact(link, text)));
  return {
    links: split.map(([name = ""], i) => linkFact(i + 1, name)),
    addresses,
    routes: [...once(addresses.flatMap((a) => laidByKernel(a))), ...routes.map(route)],
    rules: sortRules([...defaultRules, ...rules].map(rule)),
    nexthops: [],
    nftTables: [],
    sysctls,
    resolver: {
      resolvedRunning: false,
      resolvconf: "none",
      resolvConf: { path: "/etc/resolv.conf", target: null, servers: [], immutable: false },
    },
    features: { ipv6: true, tun: true, nft: true, owner: true, devicePrefix: true, nexthops: true, appMarks: "none" },
    others: [],
    hostName: "machine",
  };
}

/** A machine without a plan, and its routes. */
export function machine(ground: Ground = {}, nft: readonly NftTable[] = []): { machine: Machine; routes: Route[] } {
  const facts = factsOf(ground);
  // nothing is taken out as Culvert's own here: the tests lay tables of the plan by hand
  return { machine: { ...machineOf(facts, null), rules: facts.rules, nft }, routes: [...facts.routes] };
}

function linkFact(index: number, name: string): LinkFact {
  const loopback = name === "lo";
  return {
    ...{ index, name, kind: loopback ? "" : "veth", type: loopback ? 772 : 1, up: true, carrier: true, loopback },
    ...{ mtu: 1500, mac: "02:00:00:00:00:01", master: 0, xdp: false, clsact: false },
  };
}

function addressFact(link: string, text: string): AddressFact {
  const address = parseInterfaceAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  const scope = link === "lo" ? "host" : text.startsWith("fe80") ? "link" : "global";
  return { link, address, scope, temporary: false, deprecated: false, tentative: false, dynamic: false };
}

function laidByKernel({ link, address }: AddressFact): Route[] {
  const [text = "", length = ""] = address.split("/");
  const laid = kernelRoutes(link, text as Address, Number(length));
  if (link !== "lo") return laid;
  // lo has 127.0.0.0/8 in table local, and no multicast
  return laid.filter((r) => r.type !== "multicast").map((r) => ({ ...r, table: 255, type: "local" }));
}

/** The kernel keeps one of each: two addresses of a device share its multicast route. */
function once(all: readonly Route[]): Route[] {
  return [...new Map(all.map((r) => [JSON.stringify(r), r])).values()];
}

/** `[unreachable|…] PREFIX|default [via A] [dev D] [table N] [metric N] [src A] [nhid N] [proto N] [from P] [linkdown]` */
export function route(text: string): RouteFact {
  const words = text.split(" ");
  const types = ["local", "broadcast", "multicast", "unreachable", "blackhole", "prohibit", "throw"] as const;
  const type = types.find((t) => t === words[0]) ?? "unicast";
  const where = words[type === "unicast" ? 0 : 1] ?? "";
  const after = (key: string): string | undefined => {
    const at = words.indexOf(key);
    return at < 0 ? undefined : words[at + 1];
  };
  const six = where.includes(":") || (after("via") ?? after("dev6") ?? "").includes(":") || words.includes("-6");
  const prefix = where === "default" ? ((six ? "::/0" : "0.0.0.0/0") as Prefix) : parsePrefix(where);
  if (prefix === undefined) throw new Error(`not a route: ${text}`);
  const dev = after("dev");
  return {
    family: prefix.includes(":") ? 6 : 4,
    table: Number(after("table") ?? 254),
    prefix,
    type,
    metric: Number(after("metric") ?? (prefix.includes(":") ? 1024 : 0)),
    protocol: Number(after("proto") ?? 3),
    scope: 0,
    tos: 0,
    from: (after("from") ?? null) as Prefix | null,
    src: (after("src") ?? null) as Address | null,
    nexthop: after("nhid") === undefined ? null : Number(after("nhid")),
    legs:
      dev === undefined
        ? []
        : [
            {
              dev,
              via: (after("via") ?? null) as Address | null,
              onlink: false,
              weight: 1,
              linkdown: false,
              dead: false,
            },
          ],
  };
}

/** `-4|-6 PRIORITY: [not] [from P] [to P] [iif D] [oif D] [fwmark V/M] [uidrange A-B] [ipproto N] [dport A-B] ACTION` */
export function rule(text: string): RuleFact {
  const words = text.split(" ");
  const after = (key: string): string | undefined => {
    const at = words.indexOf(key);
    return at < 0 ? undefined : words[at + 1];
  };
  const range = (key: string): { from: number; to: number } | null => {
    const [from, to] = (after(key) ?? "").split("-");
    return from ? { from: Number(from), to: Number(to ?? from) } : null;
  };
  const [value, mask] = (after("fwmark") ?? "").split("/");
  const stop = (["unreachable", "blackhole", "prohibit", "nop"] as const).find((kind) => words.includes(kind));
  return {
    family: words[0] === "-6" ? 6 : 4,
    priority: Number((words[1] ?? "").replace(":", "")),
    protocol: 3,
    not: words.includes("not"),
    from: (after("from") ?? null) as Prefix | null,
    to: (after("to") ?? null) as Prefix | null,
    iif: after("iif") ?? null,
    oif: after("oif") ?? null,
    mark: value ? { value: Number(value), mask: Number(mask ?? 0xffff_ffff) } : null,
    uids: range("uidrange"),
    ipProtocol: after("ipproto") === undefined ? null : Number(after("ipproto")),
    sport: range("sport"),
    dport: range("dport"),
    tos: 0,
    suppressPrefixLength: after("suppress_prefixlength") === undefined ? null : Number(after("suppress_prefixlength")),
    action: stop
      ? { kind: stop }
      : after("goto") !== undefined
        ? { kind: "goto", priority: Number(after("goto")) }
        : { kind: "lookup", table: Number(after("lookup")) },
  };
}

export const socket = (device: string | null = null, source: "unset" | "set" = "unset"): Origin => ({
  ...{ kind: "socket", device, source, kernel: false },
});

/** A UDP packet to a far host from an unbound socket, but for what is said. */
export function value(fields: Partial<PacketValue> = {}): PacketValue {
  const six = (fields.destination ?? "").includes(":") || fields.family === 6;
  return {
    family: six ? 6 : 4,
    carries: "ip",
    origin: socket(),
    source: null,
    destination: (six ? "2001:db8:f::200" : "203.0.113.200") as Address,
    ...{ protocol: 17, sport: 40000, dport: 7777, mark: 0, uid: 1000, icmpType: 8, hops: 64 },
    ...{ ethertype: six ? 0x86dd : 0x0800, ct: ctStates.new, flags: [], choices: {} },
    ...fields,
  };
}

export const packet = (routes: readonly Route[], fields: Partial<PacketValue> = {}): Packet =>
  concrete(value(fields), routes);

/** An nft rule in one line of a test. */
export const line = (verdict: NftVerdict["kind"] | NftVerdict, ...matches: readonly NftMatch[]): NftRule => ({
  note: "test",
  matches,
  counter: false,
  verdict: typeof verdict === "string" ? ({ kind: verdict } as NftVerdict) : verdict,
});

export function table(family: "inet" | "netdev", ...chains: readonly NftChain[]): NftTable {
  return { family, name: "culvert", owned: true, sets: [], chains };
}

export function chain(
  hook: NonNullable<NftChain["base"]>["hook"],
  policy: "accept" | "drop",
  rules: readonly NftRule[],
  type: "filter" | "route" = "filter",
): NftChain {
  const base = { type, hook, priority: 0, policy };
  return { name: hook, base: hook === "egress" ? { ...base, devices: { kind: "all" } } : base, rules };
}

/** The compiler's samples name only what it reads; this adds what every machine has: its rules and its table local. */
export function withRules(facts: Facts): Facts {
  const lo = facts.addresses.some((a) => a.link === "lo")
    ? []
    : ["127.0.0.1/8", "::1/128"].map((text) => addressFact("lo", text));
  const addresses = [...lo, ...facts.addresses];
  const local = facts.routes.some((r) => r.table === 255)
    ? []
    : once(addresses.flatMap((a) => laidByKernel(a).filter((r) => r.table === 255)));
  const rules = facts.rules.length > 0 ? facts.rules : sortRules(defaultRules.map(rule));
  return { ...facts, addresses, rules, routes: [...local, ...facts.routes] };
}
