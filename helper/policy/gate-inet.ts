// Lock 2, the `inet` table. Locally made packets pass `output`, forwarded ones `forward`; both turn into `tunnel` when
// they are bound for culvert0 and into `linkN` when they are bound for an outside link. `input` and `prerouting` decide
// who may come in; `answer` marks answers to welcomed callers for lock 3, which knows no conntrack (4.22).
import { familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Welcome } from "../contract/policy.ts";
import type { NftChain, NftMatch, NftRule } from "../plan/nft.ts";
import { linkName, marks } from "../plan/numbers.ts";
import {
  answerLines,
  foreignLan,
  laneLines2,
  lateQueryLines,
  passes,
  outsideQueries,
  sharedChains2,
  tunnelLines,
} from "./gate-lanes.ts";
import { discoveryOf, linkChain, sourceRouted } from "./gate-lines.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { leavesBy } from "./lanes.ts";
import { dhcpIn, dhcpOut, neighboursIn, neighboursOut } from "./link-local.ts";
import { askedAnswers, askingLines, nameChains2, nameHooks, nameLines2, nobodyFromLinks } from "./name-gate.ts";
import {
  accept,
  chain,
  daddr,
  drop,
  established,
  icmp,
  icmp6,
  iif,
  inReply,
  isPassed,
  jump,
  mark,
  notDaddr,
  notSaddr,
  ofFamily,
  oif,
  ports,
  reject,
  related,
  saddr,
  setMark,
  tcp,
  udp,
} from "./nft-words.ts";
import type { OutsideLink } from "./uplinks.ts";

export function inetChains(ground: Ground): readonly NftChain[] {
  const inner = ground.links.filter((link) => link.inner);
  const welcome = ground.policy.welcome.length > 0;
  return [
    ...(welcome ? [chain("answer", answer(ground))] : []),
    ...sharedChains2(ground),
    ...nameChains2(ground),
    ...ground.links.map((link, i) => chain(linkChain(i), linkLines(ground, link))),
    ...(ground.open ? [chain("tunnel", tunnelLines(ground))] : []),
    ...(inner.length > 0 ? [chain("from_inner", fromInner(ground)), chain("to_inner", toInner(ground))] : []),
    base("prerouting", "prerouting", -300, prerouting(ground)),
    base("input", "input", 0, input(ground)),
    base("forward", "forward", 0, forward(inner)),
    base("output", "output", 0, output(ground, welcome)),
    ...nameHooks(ground),
  ];
}

/** Only from an outside address of this machine; what has another source is judged by the lines after the jump. */
export function answer(ground: Ground): readonly NftRule[] {
  const sources = [...new Set(ground.links.filter((link) => !link.inner).flatMap((link) => link.sources))];
  return sources.flatMap((source) => [
    setMark("for lock 3: an answer", marks.reply, saddr(source)),
    accept("an answer", saddr(source)),
  ]);
}

/** P7: the inside address exists on culvert0 alone. The last rule catches exactly what names it elsewhere. */
export function prerouting(ground: Ground): readonly NftRule[] {
  return [
    ...sourceRouted,
    accept("this machine to itself", iif("lo")),
    ...(ground.adapter ? [accept("from the tunnel", iif(linkName))] : []),
    ...families.map((family) =>
      accept("not for the inside: input and forward judge", ofFamily(family), ...ground.inside[family].map(notDaddr)),
    ),
    drop("for the inside address, but not from the tunnel (P7)"),
  ];
}

function input(ground: Ground): readonly NftRule[] {
  return [
    accept("this machine to itself", iif("lo")),
    ...nobodyFromLinks(ground),
    ...(ground.open ? inFromTunnel(ground) : []),
    drop("from the tunnel: closed, or not for the inside address", iif(linkName)),
    drop("redirects move single destinations unseen (13.3)", icmp(5)),
    drop("redirects move single destinations unseen (13.3)", icmp6(137)),
    ...ground.endpoints.map((e) =>
      // established: only to the engine's own socket; from the node's port a stranger on the path could reach any service
      accept("the node's packets", established, saddr(hostPrefix(e.address)), ...ports(udp, { from: e.port })),
    ),
    ...neighboursIn,
    ...dhcpIn,
    // RFC 792: unreachable (with "too big"), time exceeded, parameter problem; RFC 4443: 1 to 4
    accept("errors about what was let out", related, icmp(3, 11, 12)),
    accept("errors about what was let out", related, icmp6(1, 2, 3, 4)),
    ...ground.policy.welcome.flatMap((w) => welcomeIn(ground, w)),
    ...ground.links.filter((link) => link.inner).map((link) => accept("containers and VMs here", iif(link.name))),
    ...ground.lan
      .filter((l) => !l.inner)
      .map((l) => accept("LAN: callers on their own link", iif(l.link), saddr(l.prefix))),
    ...ground.links.flatMap((link) => askedAnswers(ground, link)),
    ...(ground.direct ? directIn(ground) : []),
    drop("nobody else comes in"),
  ];
}

export function inFromTunnel(ground: Ground): readonly NftRule[] {
  return families
    .filter((family) => ground.carries[family])
    .flatMap((family) => ground.inside[family].map((own) => accept("inside callers", iif(linkName), daddr(own))));
}

/** No blanket `established`: an old connection of ours may read as an answer (I), so the service is named again. */
function welcomeIn(ground: Ground, welcome: Welcome): readonly NftRule[] {
  const service = ports(numberOf(welcome), { to: welcome.port });
  return callers(ground, welcome).map((from) => accept("welcomed callers", ...from("saddr"), ...service));
}

function welcomeOut(ground: Ground, welcome: Welcome): readonly NftRule[] {
  const service = ports(numberOf(welcome), { from: welcome.port });
  return callers(ground, welcome).map((to) =>
    jump("answers to welcomed callers (P6)", "answer", ...to("daddr"), ...service, established, inReply),
  );
}

/** An empty list welcomes everybody. */
function callers(ground: Ground, welcome: Welcome): readonly ((kind: "saddr" | "daddr") => readonly NftMatch[])[] {
  const four = ground.policy.ipv6 === "block";
  if (welcome.from.length === 0) return [() => (four ? [ofFamily(4)] : [])];
  return welcome.from.filter((prefix) => !four || familyOf(prefix) === 4).map((prefix) => (kind) => [{ kind, prefix }]);
}

function directIn(ground: Ground): readonly NftRule[] {
  return ground.links.flatMap((link) =>
    answerLines(ground, link).map((m) => accept("direct: answers", iif(link.name), ...m, established)),
  );
}

function output(ground: Ground, welcome: boolean): readonly NftRule[] {
  return [
    ...spoken(ground, welcome),
    ...ground.links.map((link, i) => jump(`out by ${link.name}`, linkChain(i), oif(link.name))),
    drop("nothing else leaves (P1)"),
  ];
}

/** What the machine sends by its nature, and into the tunnel: all that comes before the rules. */
export function spoken(ground: Ground, welcome: boolean): readonly NftRule[] {
  const note = "the engine's packets to the node, and to nobody else (P2)";
  return [
    ...sourceRouted,
    ...nameLines2(ground),
    accept("this machine to itself", oif("lo")),
    ...(ground.open ? intoTunnel(ground) : []),
    drop("into the tunnel: closed", oif(linkName)),
    ...insideStays(ground),
    drop("nobody marks his own packets as answers", mark(marks.reply)),
    ...(passes(ground) ? [drop("nor as found to be direct", isPassed)] : []),
    ...ground.endpoints.map((e) =>
      accept(note, mark(marks.engine), daddr(hostPrefix(e.address)), ...ports(udp, { to: e.port })),
    ),
    drop(note, mark(marks.engine)),
    ...neighboursOut(ground.links),
    ...dhcpOut(ground.links),
    ...ground.policy.welcome.flatMap((w) => welcomeOut(ground, w)),
    ...(welcome ? [related4, related6] : []),
  ];
}

/**
 * P6. For forwarded packets too: while the adapter is not there its address is nobody's here, and not dropped as a martian
 * source, and lock 3 may be gone.
 */
export function insideStays(ground: Ground): readonly NftRule[] {
  return families.flatMap((family) =>
    ground.inside[family].map((own) => drop("inside addresses stay inside", saddr(own))),
  );
}

const related4 = jump("errors about what welcomed callers sent", "answer", related, inReply, icmp(3, 11, 12));
const related6 = jump("errors about what welcomed callers sent", "answer", related, inReply, icmp6(1, 2, 3, 4));

/** Only from an inside address: a socket that is older than the tunnel would carry its outside address to the node. */
function intoTunnel(ground: Ground): readonly NftRule[] {
  const carried = families.filter((family) => ground.carries[family]);
  return [
    drop("the engine's packets never enter the tunnel (P2)", oif(linkName), mark(marks.engine)),
    ...carried.map((family) =>
      drop("outside addresses stay outside", oif(linkName), ofFamily(family), ...ground.inside[family].map(notSaddr)),
    ),
    ...carried.map((family) => jump("into the tunnel", "tunnel", oif(linkName), ofFamily(family))),
  ];
}

function linkLines(ground: Ground, link: OutsideLink): readonly NftRule[] {
  const lan = ground.lan.filter((l) => l.link === link.name);
  const lanes = laneLines2(ground, link);
  return [
    ...askingLines(ground, link, null),
    ...outsideQueries(ground, reject),
    ...lanes.near,
    ...lan.flatMap((l) => [
      ...lateQueryLines(ground, daddr(l.prefix)),
      accept("LAN: on-link and honoured", daddr(l.prefix)),
    ]),
    ...discoveryOf(ground, link).map((d) => accept(d.note, ...d.matches)),
    ...(ground.lanes.some((set) => leavesBy(ground, set, link))
      ? [...foreignLan(ground, link).map((m) => drop("LAN of another link (P4)", ...m)), ...lanes.all]
      : []),
  ];
}

/** Containers and virtual machines are held to the same lanes (P10); nobody else is forwarded. */
function forward(inner: readonly OutsideLink[]): readonly NftRule[] {
  return [
    ...inner.map((link) => jump(`into ${link.name}`, "to_inner", oif(link.name))),
    ...inner.map((link) => jump(`out of ${link.name}`, "from_inner", iif(link.name))),
    drop("nothing else is forwarded"),
  ];
}

function fromInner(ground: Ground): readonly NftRule[] {
  return [
    drop("containers mark nothing as the engine's", mark(marks.engine)),
    ...(passes(ground) ? [drop("nor as found to be direct", isPassed)] : []),
    ...(ground.open
      ? families
          .filter((family) => ground.carries[family])
          .map((family) => jump("into the tunnel", "tunnel", oif(linkName), ofFamily(family)))
      : []),
    ...insideStays(ground),
    ...ground.links.map((link, i) => jump(`out by ${link.name}`, linkChain(i), oif(link.name))),
  ];
}

function toInner(ground: Ground): readonly NftRule[] {
  return [
    accept("answers to containers", established),
    ...ground.lan
      .filter((l) => !l.inner)
      .map((l) => accept("LAN: callers of published ports", iif(l.link), saddr(l.prefix))),
  ];
}

function numberOf(welcome: Welcome): number {
  return welcome.protocol === "tcp" ? tcp : udp;
}

export function base(
  name: string,
  hook: "prerouting" | "input" | "forward" | "output",
  priority: number,
  rules: readonly NftRule[],
): NftChain {
  return { name, base: { type: "filter", hook, priority, policy: "drop" }, rules };
}
