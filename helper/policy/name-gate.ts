// Both locks for programs whose names go another lane (name-lanes.ts): their queries are led to our own resolver (nat output)
// at a port that says the lane, and nobody else is let there; what is still a query under such a mark is refused, also to
// this machine itself: it is a blocked program's, or of a connection older than the chain that leads (I).
//
// What the hooks see (tried on 6.18): a chain of output after nat has the new address and port and still the old device; a
// socket bound to a device keeps to it, and would send the loopback address out by it (B): postrouting and egress stop that.
import type { Lane } from "../contract/policy.ts";
import { familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import type { NftChain, NftMatch, NftRule } from "../plan/nft.ts";
import { asksByName } from "../plan/names.ts";
import { laneStubs, linkName, loopback, marks } from "../plan/numbers.ts";
import { waysTo } from "./bypass.ts";
import { askedDirectly } from "./dns.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import {
  accept,
  acceptCounted,
  appMark,
  chain,
  daddr,
  drop,
  established,
  iif,
  jump,
  known,
  mark,
  notDaddr,
  notSaddr,
  ofFamily,
  oif,
  ports,
  reject,
  saddr,
  tcp,
  udp,
} from "./nft-words.ts";
import type { OutsideLink } from "./uplinks.ts";

/** Base chains of lock 2 besides those that judge. */
export function nameHooks(ground: Ground): readonly NftChain[] {
  const led = ledOf(ground);
  if (led.length === 0) return [];
  return [
    {
      name: "lead_names",
      base: { type: "nat", hook: "output", priority: natOutput, policy: "accept" },
      rules: led.flatMap(({ mark: value, lane }) =>
        queries.map((query) => redirect(`names of a program: ${lane}`, laneStubs[lane], appMark(value), ...query)),
      ),
    },
    {
      name: "postrouting",
      base: { type: "filter", hook: "postrouting", priority: 0, policy: "drop" },
      rules: [
        accept("this machine to itself", oif("lo")),
        ...families.map((family) =>
          accept("not this machine itself", ofFamily(family), notDaddr(own[family]), notSaddr(own[family])),
        ),
        drop("what was led to this machine itself does not leave it (B)"),
      ],
    },
  ];
}

/** What the lines of lock 2 jump to. */
export function nameChains2(ground: Ground): readonly NftChain[] {
  const stubs = lanesLed(ground).map((lane) =>
    chain(`asks_${lane}`, [
      ...marksOf(ground, lane).map((value) => accept(`names of a program: ${lane}`, appMark(value))),
      reject("nobody else asks there (P3)"),
    ]),
  );
  return ground.names.marks.length === 0 ? [] : [...stubs, chain("asks", refusals(ground, reject))];
}

export function nameChains3(ground: Ground): readonly NftChain[] {
  return ground.names.marks.length === 0 ? [] : [chain("asks", refusals(ground, drop))];
}

/** First of output: who is led to a stub of ours is let there, to whatever device he was on his way before. */
export function nameLines2(ground: Ground): readonly NftRule[] {
  const stubs = lanesLed(ground).flatMap((lane) =>
    families.flatMap((family) =>
      [udp, tcp].map((protocol) =>
        jump(`names: ${lane}`, `asks_${lane}`, daddr(hosts[family]), ...ports(protocol, { to: laneStubs[lane] })),
      ),
    ),
  );
  const inside = ground.names.marks.some(({ lane }) => lane === "direct")
    ? [drop("names of the direct lane are never asked inside", oif(linkName), mark(marks.direct))]
    : [];
  return [...stubs, ...askedLines(ground), ...inside];
}

/** First of egress behind lo and the tunnel. */
export function nameLines3(ground: Ground): readonly NftRule[] {
  if (ground.names.marks.length === 0) return [];
  return [
    ...families.flatMap((family) => [
      drop("what was led to this machine itself does not leave it (B)", daddr(own[family])),
      drop("nor does its answer", saddr(own[family])),
    ]),
    ...askedLines(ground),
  ];
}

/** In, behind lo: with route_localnet set (container set-ups do) a link's neighbours could ask our resolver as well. */
export function nobodyFromLinks(ground: Ground): readonly NftRule[] {
  if (ground.names.marks.length === 0 && !asksByName(ground.policy)) return [];
  return families.map((family) => drop("loopback is asked from here alone", daddr(own[family])));
}

/** Our resolver's questions for the direct lane, out by a link that leads to the server. `sources`: lock 3 asks. */
export function askingLines(
  ground: Ground,
  link: OutsideLink,
  sources: ((family: Family) => readonly Prefix[]) | null,
): readonly NftRule[] {
  const say = sources === null ? accept : acceptCounted;
  return serversBy(ground, link).flatMap((server) => {
    const from = sources === null ? [[]] : sources(familyOf(server)).map((source) => [saddr(source)]);
    return from.flatMap((source) =>
      queries.map((query) =>
        say("names: asked for the direct lane", mark(marks.direct), ...source, daddr(hostPrefix(server)), ...query),
      ),
    );
  });
}

/** Lock 2, in. */
export function askedAnswers(ground: Ground, link: OutsideLink): readonly NftRule[] {
  return serversBy(ground, link).flatMap((server) =>
    [udp, tcp].map((protocol) =>
      accept(
        "names: answers for the direct lane",
        ...[iif(link.name), established, saddr(hostPrefix(server))],
        ...ports(protocol, { from: dnsPort }),
      ),
    ),
  );
}

const dnsPort = 53;
/** NF_IP_PRI_NAT_DST: before the chains that judge (0). */
const natOutput = -100;
const queries: readonly (readonly NftMatch[])[] = [udp, tcp].map((protocol) => ports(protocol, { to: dnsPort }));
/** All that is this machine itself and nobody's on a wire. */
const own: Readonly<Record<Family, Prefix>> = { 4: known("127.0.0.0/8"), 6: known("::1/128") };
const hosts: Readonly<Record<Family, Prefix>> = { 4: hostPrefix(loopback[4]), 6: hostPrefix(loopback[6]) };

function ledOf(ground: Ground): readonly { readonly mark: number; readonly lane: Exclude<Lane, "block"> }[] {
  return ground.names.marks.flatMap(({ mark: value, lane }) => (lane === "block" ? [] : [{ mark: value, lane }]));
}

function lanesLed(ground: Ground): readonly Exclude<Lane, "block">[] {
  return [...new Set(ledOf(ground).map(({ lane }) => lane))];
}

function marksOf(ground: Ground, lane: Lane): readonly number[] {
  return ground.names.marks.filter((one) => one.lane === lane).map((one) => one.mark);
}

function askedLines(ground: Ground): readonly NftRule[] {
  if (ground.names.marks.length === 0) return [];
  return queries.map((query) => jump("names of programs", "asks", ...query));
}

/** What is still a query here was not led: of a blocked program, or of a connection older than this chain (I). */
function refusals(ground: Ground, refuse: typeof drop): readonly NftRule[] {
  return ground.names.marks.map(({ mark: value, lane }) => refuse(`names of a program: ${lane}`, appMark(value)));
}

function serversBy(ground: Ground, link: OutsideLink): readonly Address[] {
  return families.flatMap((family) =>
    askedDirectly(ground, family).filter((server) => waysTo(ground, server).some((way) => way.dev === link.name)),
  );
}

function redirect(note: string, port: number, ...matches: NftMatch[]): NftRule {
  return { ...accept(note, ...matches), verdict: { kind: "redirect", port } };
}
