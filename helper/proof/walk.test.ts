// The walk against the page of kernel findings: each test is one numbered finding, said as that page says it.
import { expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { NftMatch, NftTable } from "../plan/nft.ts";
import { chain, line, machine, mainRoutes, packet, socket, table, uplinks, type Ground } from "./ground.ts";
import type { Machine } from "./machine.ts";
import { ctStates, type PacketValue } from "./packet.ts";
import { walk, type Walk } from "./walk.ts";

const far = "203.0.113.200" as Address;
const far6 = "2001:db8:f::200" as Address;
const tun = [...uplinks, "t0 203.0.113.2/32 2001:db8:9::2/128"];
const lastMetric = "metric 4278198272";
const refusing = [`unreachable default table 7600 ${lastMetric}`, `unreachable ::/0 table 7600 ${lastMetric}`];
const tunnelled = ["default dev t0 table 7600", "::/0 dev t0 table 7600 metric 1"];
const catchAll = ["-4 4900: lookup 7600", "-6 4900: lookup 7600"];

test("1.1: no match in a table, the next rule decides", () => {
  expect(goes({ rules: ["-4 100: lookup 50"] })).toBe("va via 192.0.2.1");
  expect(goes({ rules: ["-4 100: lookup 50"], routes: [...mainRoutes, "default dev wa table 50"] })).toBe("wa");
});

test("1.4: throw leaves the table at its prefix, the next rule decides", () => {
  const routes = [...mainRoutes, "default dev wa table 50", "throw 203.0.113.0/24 table 50"];
  expect(goes({ rules: ["-4 100: lookup 50"], routes })).toBe("va via 192.0.2.1");
  expect(goes({ rules: ["-4 100: lookup 50"], routes }, { destination: "192.88.99.1" as Address })).toBe("wa");
});

test.each([
  ["unreachable", "EHOSTUNREACH", "ENETUNREACH"],
  ["prohibit", "EACCES", "EACCES"],
  ["blackhole", "EINVAL", "EINVAL"],
])("1.5, 1.6: a route of type %s gives %s, a rule gives %s", (type, byRoute, byRule) => {
  for (const [dash, prefix, destination] of [
    ["-4", "203.0.113.0/24", far],
    ["-6", "2001:db8:f::/48", far6],
  ] as const) {
    expect(goes({ routes: [...mainRoutes, `${type} ${prefix}`] }, { destination })).toBe(byRoute);
    expect(goes({ rules: [`${dash} 100: ${type}`] }, { destination })).toBe(byRule);
  }
});

test("1.7: of rules with the same preference the older is asked first", () => {
  const routes = ["default dev va table 50", "default dev wa table 51"];
  expect(goes({ rules: ["-4 100: lookup 50", "-4 100: lookup 51"], routes })).toBe("va");
  expect(goes({ rules: ["-4 100: lookup 51", "-4 100: lookup 50"], routes })).toBe("wa");
});

test("1.8: goto to a missing preference is skipped and lives when the target is there", () => {
  const rules = ["-4 100: goto 200", "-4 150: unreachable"];
  expect(goes({ rules })).toBe("ENETUNREACH");
  expect(goes({ rules: [...rules, "-4 200: lookup 254"] })).toBe("va via 192.0.2.1");
});

test("1.11, 1.12: a better metric beats the unreachable default; link down leaves only that", () => {
  const ground = { links: tun, routes: [...mainRoutes, ...refusing, ...tunnelled], rules: catchAll };
  for (const destination of [far, far6]) {
    expect(goes(ground, { destination })).toBe("t0");
    expect(goes(ground, { destination }, [], without("t0"))).toBe("EHOSTUNREACH");
  }
});

test("1.15, 1.16: a device route survives a lost carrier and swallows, but for the sysctl", () => {
  const ground = { links: tun, routes: [...mainRoutes, ...refusing, ...tunnelled], rules: catchAll };
  const sysctls = { "net.ipv4.conf.t0.ignore_routes_with_linkdown": "1" };
  expect(goes(ground, {}, [], silent("t0"))).toBe("t0");
  expect(goes({ ...ground, sysctls }, {}, [], silent("t0"))).toBe("EHOSTUNREACH");
});

test("1.18, 1.19: lo down takes the IPv6 unreachable default, not the IPv4 one", () => {
  const ground = { routes: [...mainRoutes, ...refusing], rules: catchAll };
  expect(goes(ground, { destination: far6 }, [], down("lo"))).toBe("va via 2001:db8:1::1");
  expect(goes(ground, { destination: far }, [], down("lo"))).toBe("EHOSTUNREACH");
  expect(goes({ ...ground, rules: [...catchAll, "-6 4910: unreachable"] }, { destination: far6 }, [], down("lo"))).toBe(
    "ENETUNREACH",
  );
});

test("1.31-1.35: routes with a nexthop object vanish with the carrier; the blackhole twin then answers", () => {
  const rules = ["-4 100: lookup 50"];
  const set = "203.0.113.0/24 nhid 7 table 50";
  const twin = `203.0.113.0/24 nhid 8 table 50 ${lastMetric}`;
  const hops: Change = (m) => ({
    ...m,
    nexthops: new Map([
      [7, { id: 7, family: 4, to: { kind: "dev", dev: "wa", via: null, onlink: false } }],
      [8, { id: 8, family: 4, to: { kind: "blackhole" } }],
    ]),
  });
  const lost: Change = (m) => silent("wa")(hops(m));
  expect(goes({ rules, routes: [...mainRoutes, set] }, {}, [], hops)).toBe("wa");
  expect(goes({ rules, routes: [...mainRoutes, set] }, {}, [], lost)).toBe("va via 192.0.2.1");
  expect(goes({ rules, routes: [...mainRoutes, set, twin] }, {}, [], lost)).toBe("EINVAL");
});

test("2.1, 2.2: a mark decides before the source is chosen; masked rules ignore other bits", () => {
  const ground = {
    links: tun,
    routes: [...mainRoutes, ...tunnelled],
    rules: ["-4 4000: fwmark 0x2a000000/0xff000000 lookup 7600"],
  };
  expect(goes(ground)).toBe("va via 192.0.2.1");
  expect(goes(ground, { mark: 0x2a00_0001 })).toBe("t0");
  expect(sourceOf(ground, { mark: 0x2a00_0000 })).toBe("203.0.113.2");
});

test("2.4, 2.5: a mark set in a route chain is routed again with the old source, in a filter chain it is not", () => {
  const ground = {
    links: tun,
    routes: [...mainRoutes, ...tunnelled],
    rules: ["-4 4000: fwmark 0x2a000000/0xff000000 lookup 7600"],
  };
  const mark = line({ kind: "set-mark", mask: 0xff00_0000, value: 0x2a00_0000 });
  const by = (type: "filter" | "route"): NftTable[] => [table("inet", chain("output", "accept", [mark], type))];
  expect(goes(ground, {}, by("filter"))).toBe("va via 192.0.2.1");
  expect(goes(ground, {}, by("route"))).toBe("t0");
  expect(sourceOf(ground, {}, by("route"))).toBe("192.0.2.2");
});

test("2.6, 2.7: a failed lookup never reaches the route chain; routed again into unreachable is dropped", () => {
  const mark = line({ kind: "set-mark", mask: 0xff00_0000, value: 0x2a00_0000 });
  const nft = [table("inet", chain("output", "accept", [mark], "route"))];
  expect(goes({ rules: ["-4 100: unreachable"] }, {}, nft)).toBe("ENETUNREACH");
  expect(goes({ rules: ["-4 100: fwmark 0x2a000000/0xff000000 unreachable"] }, {}, nft)).toBe("dropped at reroute");
});

// found by the model bench, SEED=4747
test("routed again, an IPv4 packet is root's for rules by owner, an IPv6 one stays its owner's", () => {
  const mark = line({ kind: "set-mark", mask: 0xff00_0000, value: 0x2a00_0000 });
  const nft = [table("inet", chain("output", "accept", [mark], "route"))];
  const rules = ["-4 100: uidrange 0-0 unreachable", "-6 100: uidrange 0-0 unreachable"];
  expect(goes({ rules }, { uid: 1000 }, nft)).toBe("dropped at reroute");
  expect(goes({ rules }, { uid: 1000, destination: far6 }, nft)).toBe(goes({}, { uid: 1000, destination: far6 }));
  expect(goes({ rules }, { uid: 1000 })).toBe("va via 192.0.2.1");
});

// found by the model bench, SEED=100106 of 1,000 packets
test("a mark that the packet has already is not set anew: it is not routed again", () => {
  const mark = line({ kind: "set-mark", mask: 0x0800_0000, value: 0x0800_0000 });
  const nft = [table("inet", chain("output", "accept", [mark], "route"))];
  const rules = ["-4 100: uidrange 0-0 unreachable"];
  expect(goes({ rules }, { uid: 1000 }, nft)).toBe("dropped at reroute");
  expect(goes({ rules }, { uid: 1000, mark: 0x2a00_0000 }, nft)).toBe("va via 192.0.2.1");
});

// found by the model bench, SEED=100879 and 101007 of 1,000 packets
test("routed again, ports are seen only where a rule asks for them that is not for packets made here alone", () => {
  const mark = line({ kind: "set-mark", mask: 0xff00_0000, value: 0x2a00_0000 });
  const nft = [table("inet", chain("output", "accept", [mark], "route"))];
  const later = "-4 95: fwmark 0x2a000000/0xff000000 iif lo dport 7777 unreachable";
  expect(goes({ rules: [later] }, {}, nft)).toBe("va via 192.0.2.1");
  expect(goes({ rules: [later, "-4 96: sport 9 unreachable"] }, {}, nft)).toBe("dropped at reroute");
});

test("2.28: packets of the kernel count as uid 0 for rules, and have no owner for nft", () => {
  const origin = { kind: "socket", device: null, source: "set", kernel: true } as const;
  const rules = ["-4 100: uidrange 0-0 unreachable"];
  expect(goes({ rules }, { origin, source: "192.0.2.2" as Address })).toBe("ENETUNREACH");
  expect(goes({ rules }, { uid: 1000 })).toBe("va via 192.0.2.1");
  const nft = [table("inet", chain("output", "accept", [line("drop", { kind: "skuid", from: 0, to: 0 })]))];
  expect(goes({}, { origin, source: "192.0.2.2" as Address, uid: 0 }, nft)).toBe("va via 192.0.2.1");
  expect(goes({}, { uid: 0 }, nft)).toBe("dropped at output");
});

test("3.2, 3.4: IPv4 takes a failed lookup of a bound socket for on link, IPv6 refuses", () => {
  for (const ground of [{}, { routes: [...mainRoutes, ...refusing], rules: catchAll }]) {
    expect(goes(ground, { origin: socket("wa") })).toBe("wa");
    expect(goes(ground, { origin: socket("wa"), destination: far6 })).toBe("ENETUNREACH");
  }
});

test("3.5, 3.10: bound to the uplink that main's default uses: IPv4 on link, IPv6 through the gateway", () => {
  const ground = { links: tun, routes: [...mainRoutes, ...refusing, ...tunnelled], rules: catchAll };
  expect(goes(ground, { origin: socket("va") })).toBe("va");
  expect(goes(ground, { origin: socket("va"), destination: far6 })).toBe("va via 2001:db8:1::1");
  expect(goes(ground, { origin: socket("t0"), destination: far6 })).toBe("t0");
});

test("3.6, 3.7: an unreachable rule stops bound sockets in IPv6 only", () => {
  for (const rules of [
    ["-4 4800: unreachable", "-6 4800: unreachable"],
    ["-4 4800: oif va unreachable", "-6 4800: oif va unreachable"],
  ]) {
    expect(goes({ rules }, { origin: socket("va") })).toBe("va");
    expect(goes({ rules }, { origin: socket("va"), destination: far6 })).toBe("ENETUNREACH");
  }
});

test("3.8: a sink `local default dev wa` holds a bound socket in both families", () => {
  const rules = ["-4 4700: oif wa lookup 7698", "-6 4700: oif wa lookup 7698"];
  const routes = [...mainRoutes, "local default dev wa table 7698", "local ::/0 dev wa table 7698"];
  for (const destination of [far, far6])
    expect(goes({ rules, routes }, { origin: socket("wa"), destination })).toBe("delivered");
});

test("3.13: `from` matches bound sources, not sources that are yet to be chosen", () => {
  const ground = {
    rules: ["-4 4500: from 198.51.100.2/32 lookup 7605"],
    routes: [...mainRoutes, "default via 198.51.100.1 dev wa table 7605"],
  };
  expect(goes(ground)).toBe("va via 192.0.2.1");
  expect(goes(ground, { origin: socket(null, "set"), source: "198.51.100.2" as Address })).toBe("wa via 198.51.100.1");
});

test("4.1-4.8: output, postrouting, egress; to own addresses output, postrouting, prerouting, input", () => {
  expect(hooks({})).toEqual(["output", "postrouting", "egress"]);
  expect(hooks({ destination: "198.51.100.2" as Address })).toEqual(["output", "postrouting", "prerouting", "input"]);
});

test("4.10: raw frames pass egress and nothing else", () => {
  expect(hooks({ origin: { kind: "frame", device: "va" } })).toEqual(["egress"]);
});

test("4.18: a later fragment has no ports at egress", () => {
  const port53 = [line("drop", { kind: "protocol", protocol: 17 }, { kind: "dport", from: 53, to: 53 })];
  const nft = [table("netdev", chain("egress", "accept", port53))];
  expect(goes({}, { dport: 53 }, nft)).toBe("dropped at egress");
  expect(goes({}, { dport: 53, flags: ["later-fragment"] }, nft)).toBe("va via 192.0.2.1");
});

test("4.36: a chain for named devices does not see a device of another name", () => {
  const egress = chain("egress", "drop", []);
  const base = egress.base && { ...egress.base, devices: { kind: "names", names: ["wa"] } as const };
  expect(goes({}, {}, [table("netdev", { ...egress, base })])).toBe("va via 192.0.2.1");
  expect(goes({}, { origin: socket("wa") }, [table("netdev", { ...egress, base })])).toBe("dropped at egress");
});

test("4.43: a forwarded packet passes prerouting, forward, postrouting, egress", () => {
  const origin = { kind: "arriving", device: "wa" } as const;
  const fields = { origin, source: "198.51.100.9" as Address };
  expect(hooks(fields, { sysctls: { "net.ipv4.ip_forward": "1" } })).toEqual([
    ...["prerouting", "forward", "postrouting", "egress"],
  ]);
  expect(goes({ sysctls: { "net.ipv4.ip_forward": "0" } }, fields)).toBe("dropped at forwarding is off");
});

test("6.17: what conntrack does not know has no direction", () => {
  const nft = [
    table("inet", chain("output", "drop", [line("accept", { kind: "ct-direction", direction: "original" })])),
  ];
  expect(goes({}, { ct: ctStates.new }, nft)).toBe("va via 192.0.2.1");
  expect(goes({}, { ct: ctStates.untracked }, nft)).toBe("dropped at output");
  expect(goes({}, { ct: ctStates.invalid }, nft)).toBe("dropped at output");
});

test("7.4: IPv6 multicast without a device is answered by table local before any rule of ours", () => {
  const destination = "ff0e::9" as Address;
  expect(goes({ rules: ["-6 4910: unreachable"] }, { destination })).toBe("va");
  expect(goes({ rules: ["-4 4910: unreachable"] }, { destination: "233.252.0.9" as Address })).toBe("ENETUNREACH");
});

test("7.5: IPv4 local multicast and broadcast of a bound socket leave in spite of every rule", () => {
  const rules = ["-4 1: unreachable"];
  for (const destination of ["224.0.0.251", "255.255.255.255"] as Address[])
    expect(goes({ rules }, { destination, origin: socket("wa") })).toBe("wa");
});

test("7.9, 7.10: a ULA alone in the tunnel is the source, a GUA goes before it, and none means the uplink's", () => {
  const from = (addresses: string): string | null =>
    sourceOf(
      { links: [...uplinks, `t0 ${addresses}`], routes: [...mainRoutes, ...tunnelled], rules: catchAll },
      { destination: far6 },
    );
  expect(from("fd00::2/64")).toBe("fd00::2");
  expect(from("fd00::2/64 2001:db8:9::2/64")).toBe("2001:db8:9::2");
  expect(from("203.0.113.2/32")).toBe("2001:db8:1::2");
});

test("8.7: an IP_HDRINCL packet is protocol 255 to rules, whatever its header says", () => {
  const origin = socket(null, "set");
  const rules = ["-4 100: ipproto 17 unreachable"];
  expect(goes({ rules }, { origin, source: "192.0.2.2" as Address })).toBe("ENETUNREACH");
  expect(goes({ rules }, { origin, source: "192.0.2.2" as Address, flags: ["header-included"] })).toBe(
    "va via 192.0.2.1",
  );
});

test("8.8, 8.9: `iif lo` is what is made here, `iif va` is not", () => {
  expect(goes({ rules: ["-4 100: iif lo unreachable"] })).toBe("ENETUNREACH");
  expect(goes({ rules: ["-4 100: iif va unreachable"] })).toBe("va via 192.0.2.1");
});

test("9.1-9.5: option 121 and 0/1+128/1 win under `main suppress_prefixlength 0`", () => {
  const rules = ["-4 4000: lookup 254 suppress_prefixlength 0", ...catchAll];
  const ground = { links: tun, routes: [...mainRoutes, ...tunnelled], rules };
  expect(goes(ground)).toBe("t0");
  expect(goes({ ...ground, routes: [...ground.routes, "128.0.0.0/1 via 192.0.2.1 dev va"] })).toBe("va via 192.0.2.1");
});

test("9.8, 9.9: an unreachable default in main is honoured under suppress_prefixlength 0", () => {
  const rules = ["-4 4000: lookup 254 suppress_prefixlength 0", ...catchAll];
  expect(goes({ links: tun, routes: [...tunnelled, "unreachable default"], rules })).toBe("EHOSTUNREACH");
});

test("9.10: with every rule flushed nothing is routed, but an IPv4 socket bound to a device", () => {
  const flushed: Change = (m) => ({ ...m, rules: m.rules.filter((r) => r.priority === 0) });
  expect(goes({}, {}, [], flushed)).toBe("ENETUNREACH");
  expect(goes({}, { destination: far6 }, [], flushed)).toBe("ENETUNREACH");
  expect(goes({}, { origin: socket("va") }, [], flushed)).toBe("va");
});

test("10.1-10.4: strict reverse path drops inbound while the catch-all is the tunnel, a `from` rule lets it in", () => {
  const fields = {
    origin: { kind: "arriving", device: "va" } as const,
    source: "203.0.113.77" as Address,
    destination: "192.0.2.2" as Address,
  };
  const ground = (rules: string[], strict: string): Ground => ({
    ...{ links: tun, routes: [...mainRoutes, ...tunnelled, ...refusing], rules: [...catchAll, ...rules] },
    sysctls: { "net.ipv4.conf.all.rp_filter": strict },
  });
  expect(goes(ground([], "0"), fields)).toBe("delivered");
  expect(goes(ground([], "2"), fields)).toBe("delivered");
  expect(goes(ground([], "1"), fields)).toBe("dropped at reverse path");
  expect(goes(ground(["-4 4100: from 192.0.2.2/32 lookup 254"], "1"), fields)).toBe("delivered");
  expect(goes(ground(["-4 4100: unreachable"], "2"), fields)).toBe("dropped at reverse path");
});

test("10.5-10.8: a packet for the inside address on the uplink is accepted, unless nft says by interface", () => {
  const fields = {
    origin: { kind: "arriving", device: "va" } as const,
    source: "192.0.2.9" as Address,
    destination: "203.0.113.2" as Address,
  };
  const stop = line(
    "drop",
    { kind: "daddr", prefix: "203.0.113.2/32" as never },
    { kind: "iifname", not: true, name: "t0" },
  );
  expect(goes({ links: tun }, fields)).toBe("delivered");
  expect(goes({ links: tun }, fields, [table("inet", chain("prerouting", "accept", [stop]))])).toBe(
    "dropped at prerouting",
  );
});

test("13.13: source-routed packets are told by their option and their routing header", () => {
  const gate = chain("output", "accept", [
    line("drop", { kind: "ip-option", option: "lsrr" }),
    line("drop", { kind: "routing-header" }),
  ]);
  expect(goes({}, { flags: ["lsrr"] }, [table("inet", gate)])).toBe("dropped at output");
  expect(goes({}, { flags: ["routing-header"], destination: far6 }, [table("inet", gate)])).toBe("dropped at output");
  expect(goes({}, { flags: ["ssrr"] }, [table("inet", gate)])).toBe("va via 192.0.2.1");
});

// found by the packet tests, e2e/net/findings/lock-2-gone
test("at egress a source route shows by the header's length alone", () => {
  const gate = (match: NftMatch): NftTable[] => [table("netdev", chain("egress", "accept", [line("drop", match)]))];
  const option = { kind: "ip-option", option: "lsrr" } as const;
  const long = { kind: "hdrlength", above: 6 } as const;
  expect(goes({}, { flags: ["lsrr"] }, gate(option))).toBe("va via 192.0.2.1");
  for (const flag of ["lsrr", "ssrr"] as const)
    expect(goes({}, { flags: [flag] }, gate(long))).toBe("dropped at egress");
  expect(goes({}, {}, gate(long))).toBe("va via 192.0.2.1");
  expect(goes({}, { destination: far6 }, gate(long))).toBe("va via 2001:db8:1::1");
});

type Change = (machine: Machine) => Machine;

const relink =
  (name: string, change: { up?: boolean; carrier?: boolean }): Change =>
  (m) => {
    const links = new Map(m.links);
    const link = links.get(name);
    if (link) links.set(name, { ...link, ...change });
    return { ...m, links };
  };
const silent = (name: string): Change => relink(name, { carrier: false });
const down = (name: string): Change => relink(name, { up: false });
const without =
  (name: string): Change =>
  (m) => ({ ...m, links: new Map([...m.links].filter(([n]) => n !== name)) });

function walked(
  ground: Ground,
  fields: Partial<PacketValue> = {},
  nft: NftTable[] = [],
  change: Change = (m) => m,
): Walk {
  const { machine: m, routes } = machine(ground, nft);
  return walk(change(m), packet(routes, fields));
}

function goes(ground: Ground, fields: Partial<PacketValue> = {}, nft: NftTable[] = [], change?: Change): string {
  const { end } = walked(ground, fields, nft, change);
  if (end.kind === "left") return end.gateway ? `${end.device} via ${end.gateway}` : end.device;
  if (end.kind === "dropped") return `dropped at ${end.at}`;
  return end.kind === "refused" ? end.errno : "delivered";
}

function sourceOf(ground: Ground, fields: Partial<PacketValue>, nft: NftTable[] = []): string | null {
  const step = walked(ground, fields, nft).steps.find((s) => s.kind === "source");
  return step?.kind === "source" ? step.address : null;
}

function hooks(fields: Partial<PacketValue>, ground: Ground = {}): string[] {
  const all = ["prerouting", "input", "forward", "output", "postrouting"] as const;
  const inet = table("inet", ...all.map((hook) => chain(hook, "accept", [])));
  const nft = [inet, table("netdev", chain("egress", "accept", []))];
  return walked(ground, fields, nft).steps.flatMap((s) => (s.kind === "hook" ? [s.step.hook] : []));
}
