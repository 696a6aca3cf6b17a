// Both locks in mode "only": what no rule names passes as if Culvert were not there, in every state and direction. Held
// are what rules send into the tunnel (it leaves by nothing else) or block, the inside addresses (P6, P7), the engine's
// packets (P2), and source routing, which hides whom a packet is for (K). Who comes in is the machine's own business; an
// answer to a caller whom a rule would send into the tunnel leaves only if policy welcomes him, as in mode "everything",
// because conntrack takes old flows of ours for answers (I).
import { familyOf, hostPrefix } from "../contract/prefix.ts";
import type { NftChain, NftRule } from "../plan/nft.ts";
import { linkName, marks } from "../plan/numbers.ts";
import { arpType, innerPorts } from "./gate-egress.ts";
import type { EgressDevices } from "./gate-egress.ts";
import { answer, base, inFromTunnel, insideStays, prerouting, spoken } from "./gate-inet.ts";
import {
  laneLines2,
  laneLines3,
  lateQueryLines,
  passes,
  outsideQueries,
  sharedChains2,
  sharedChains3,
  tunnelLines,
} from "./gate-lanes.ts";
import type { Lines } from "./gate-lanes.ts";
import { discoveryOf, sourceRouted3 } from "./gate-lines.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { dhcpOut, neighboursOut } from "./link-local.ts";
import { nameChains2, nameChains3, nameHooks, nameLines3, nobodyFromLinks } from "./name-gate.ts";
import {
  accept,
  arpSaddr,
  chain,
  daddr,
  drop,
  established,
  ethertype,
  icmp,
  icmp6,
  iif,
  isPassed,
  jump,
  mark,
  ofFamily,
  oif,
  protocol,
  reject,
  saddr,
  udp,
} from "./nft-words.ts";

export function onlyInetChains(ground: Ground): readonly NftChain[] {
  const welcome = ground.policy.welcome.length > 0;
  return [
    ...(welcome ? [chain("answer", answer(ground))] : []),
    ...sharedChains2(ground),
    ...nameChains2(ground),
    chain("outside", outside(ground, laneLines2(ground, null), reject)),
    ...(ground.open ? [chain("tunnel", tunnelLines(ground))] : []),
    base("prerouting", "prerouting", -300, prerouting(ground)),
    base("input", "input", 0, input(ground)),
    base("forward", "forward", 0, forward(ground)),
    base("output", "output", 0, [...spoken(ground, welcome), jump("outside", "outside"), drop("nothing is left")]),
    ...nameHooks(ground),
  ];
}

export function onlyEgressChains(ground: Ground, devices: EgressDevices): readonly NftChain[] {
  const own = families.flatMap((family) => ground.inside[family]);
  return [
    ...sharedChains3(ground),
    ...nameChains3(ground),
    chain("outside", outside(ground, laneLines3(ground, null, null), drop)),
    {
      name: "egress",
      base: { type: "filter", hook: "egress", priority: 0, policy: "drop", devices },
      rules: [
        accept("this machine to itself", oif("lo")),
        ...(ground.adapter ? [accept("into the tunnel: lock 2 has judged", oif(linkName))] : []),
        ...innerPorts(ground).map((port) => accept("a port of a bridge inside this machine", oif(port))),
        ...sourceRouted3,
        ...nameLines3(ground),
        ...own.map((inside) => drop("inside addresses stay inside (P6)", saddr(inside))),
        ...own
          .filter((inside) => familyOf(inside) === 4)
          .map((inside) => drop("ARP does not name them (P7)", ethertype(arpType), arpSaddr(inside))),
        ...ground.endpoints.map((e) =>
          accept("the engine's packets to the node", mark(marks.engine), daddr(hostPrefix(e.address)), protocol(udp)),
        ),
        drop("the engine's packets go to the node and nowhere else (P2)", mark(marks.engine)),
        ...neighboursOut(ground.links),
        ...dhcpOut(ground.links),
        ...(ground.policy.welcome.length > 0
          ? ground.links
              .flatMap((link) => link.sources)
              .map((s) => accept("answers lock 2 has marked", mark(marks.reply), saddr(s)))
          : []),
        jump("outside", "outside"),
        drop("nothing is left"),
      ],
    },
  ];
}

/** The rules in order, first what they say of the LAN, then the LAN; then everything. */
function outside(ground: Ground, lanes: Lines, refuse: typeof drop): readonly NftRule[] {
  return [
    ...outsideQueries(ground, refuse),
    ...(ground.policy.ipv6 === "block" ? blockIpv6(refuse) : []),
    ...lanes.near,
    // by which link is main's to say
    ...[...new Set(ground.lan.map((l) => l.prefix))].flatMap((prefix) => [
      ...lateQueryLines(ground, daddr(prefix)),
      accept("LAN: on-link and honoured", daddr(prefix)),
    ]),
    ...ground.links.flatMap((link) =>
      discoveryOf(ground, link).map((d) => accept(d.note, oif(link.name), ...d.matches)),
    ),
    ...lanes.all,
    ...lateQueryLines(ground),
    accept("what no rule names"),
  ];
}

function blockIpv6(refuse: typeof drop): readonly NftRule[] {
  return [refuse("IPv6 is blocked by policy", ofFamily(6))];
}

function input(ground: Ground): readonly NftRule[] {
  return [
    accept("this machine to itself", iif("lo")),
    ...nobodyFromLinks(ground),
    ...(ground.open ? inFromTunnel(ground) : []),
    drop("from the tunnel: closed, or not for the inside address", iif(linkName)),
    drop("redirects move single destinations unseen (13.3)", icmp(5)),
    drop("redirects move single destinations unseen (13.3)", icmp6(137)),
    ...families.map((family) => accept("callers are the machine's own business", ofFamily(family))),
    drop("nothing is left"),
  ];
}

function forward(ground: Ground): readonly NftRule[] {
  const carried = families.filter((family) => ground.open && ground.carries[family]);
  return [
    ...ground.links
      .filter((link) => link.inner)
      .map((link) => accept("answers to containers", iif(linkName), oif(link.name), established)),
    drop("out of the tunnel: nothing else", iif(linkName)),
    drop("nobody marks as the engine", mark(marks.engine)),
    ...(passes(ground) ? [drop("nor as found to be direct", isPassed)] : []),
    ...carried.map((family) => jump("into the tunnel", "tunnel", oif(linkName), ofFamily(family))),
    drop("into the tunnel: closed", oif(linkName)),
    ...insideStays(ground),
    jump("outside", "outside"),
    drop("nothing is left"),
  ];
}
