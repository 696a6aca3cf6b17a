// The rules of the policy as lines of the gate, in their order, the first match deciding: what they say of the LAN, the
// LAN itself, then all of them. Both locks have the same lines, each for its own table. Where lock 3 does not see all that
// a rule asks (selection.ts), lock 2 marks what it lets out and lock 3 holds that mark against the addresses (4.18); who
// refuses needs no mark, for a packet refused in its first fragment arrives at nobody's.
import { covers, familyOf } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import { namedServers } from "../plan/names.ts";
import type { NftChain, NftMatch, NftRule, NftSet } from "../plan/nft.ts";
import { asksInside, dnsPorts } from "./dns.ts";
import { discovery, dnsMatches } from "./gate-lines.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { leavesBy } from "./lanes.ts";
import type { LaneSet } from "./lanes.ts";
import {
  accept,
  acceptCounted,
  chain,
  daddr,
  daddrSet,
  drop,
  goBack,
  isPassed,
  jump,
  notSaddr,
  ofFamily,
  ports,
  reject,
  saddr,
  setPassed,
} from "./nft-words.ts";
import { answersOf, hasService, isHidden, matchesOf, visibleOf } from "./selection.ts";
import type { OutsideLink } from "./uplinks.ts";

/** Where the LAN's devices are found: not the LAN, and yet of it. */
const groups: readonly Prefix[] = discovery.flatMap(({ matches }) =>
  matches.flatMap((match) => (match.kind === "daddr" ? [match.prefix] : [])),
);

/** Chains of both tables: queries that no rule and no resolver's name lets pass, and what lock 2 found to be direct. */
const names = "names";
const passed = "passed";
/** Names asked of the node's resolver. */
const resolver = "resolver";

export function setsOf(ground: Ground): readonly NftSet[] {
  const set = (name: string, family: Family, elements: readonly Prefix[]): readonly NftSet[] =>
    elements.length === 0 ? [] : [{ name, type: family === 4 ? "ipv4_addr" : "ipv6_addr", elements }];
  return ground.lanes.flatMap((lane) =>
    families.flatMap((family) => [
      ...(lane.named ? set(destinations(lane, family), family, lane.prefixes[family]) : []),
      ...set(sources(lane, family), family, lane.selection.sources?.[family] ?? []),
    ]),
  );
}

/** What the lines of lock 2 jump to. */
export function sharedChains2(ground: Ground): readonly NftChain[] {
  const queries = namesOf(ground, (note, ...matches) => reject(note, ...matches));
  const own = ground.open && ownResolvers(ground).length > 0 && ground.lanes.some((set) => set.narrow);
  return [
    ...(passes(ground) ? [chain(passed, [setPassed("for lock 3: direct"), accept("direct")])] : []),
    ...queries,
    ...(own ? [chain(resolver, toResolver(ground))] : []),
  ];
}

export function sharedChains3(ground: Ground): readonly NftChain[] {
  return namesOf(ground, (note, ...matches) => drop(note, ...matches));
}

/**
 * P3: a query goes to a resolver that policy names, or where the rule that decides names its port. Where no rule names a
 * port of theirs, queries are judged before all else; where one does, before each line that would let them out unnamed.
 */
function queryLines(ground: Ground): readonly NftRule[] {
  return namesPorts(ground) ? [] : judged(ground);
}

/** Out by a link the node's resolvers are never asked, whatever rule names a port of theirs. */
export function outsideQueries(ground: Ground, refuse: typeof drop): readonly NftRule[] {
  if (!namesPorts(ground)) return judged(ground);
  return ownResolvers(ground).flatMap((server) =>
    dnsMatches.map((match) => refuse("names: the node's resolver is asked inside", daddr(hostOf(server)), ...match)),
  );
}

export function lateQueryLines(ground: Ground, ...matches: NftMatch[]): readonly NftRule[] {
  return namesPorts(ground) ? judged(ground, ...matches) : [];
}

function judged(ground: Ground, ...matches: NftMatch[]): readonly NftRule[] {
  if (leavesNames(ground)) return [];
  const protocols = matches.flatMap((m) => (m.kind === "protocol" ? [m.protocol] : []));
  return dnsPorts
    .filter(({ protocol }) => protocols.every((p) => p === protocol))
    .map(({ protocol, port }) => jump("names (P3)", names, ...matches, ...ports(protocol, { to: port })));
}

function namesPorts({ lanes }: Ground): boolean {
  return dnsPorts.some(({ protocol, port }) =>
    lanes.some((set) => isPorted(set) && set.lane !== "block" && hasService(set.selection, protocol, port)),
  );
}

function isPorted({ rule }: LaneSet): boolean {
  return rule.match.ports !== undefined;
}

/** In mode "only" names are the machine's own business until policy names who is asked. */
function leavesNames(ground: Ground): boolean {
  return ground.only && ground.policy.dns.servers.length === 0;
}

function namesOf(ground: Ground, refuse: (note: string, ...matches: NftMatch[]) => NftRule): readonly NftChain[] {
  if (leavesNames(ground)) return [];
  const named = namedServers(ground.policy).filter((s) => familyOf(s) === 4 || ground.policy.ipv6 !== "block");
  return [
    chain(names, [
      ...named.map((server) => goBack(`${server} is named by policy`, daddr(hostOf(server)))),
      refuse("names: only of a resolver that policy names (P3)"),
    ]),
  ];
}

/** Lock 2, into the tunnel. The node's own resolvers are asked whatever a rule says of their addresses. */
export function tunnelLines(ground: Ground): readonly NftRule[] {
  const own = ownResolvers(ground);
  const chosen = ground.lanes.some((set) => set.narrow);
  const ask = own.flatMap((server) =>
    dnsMatches.map((match) =>
      chosen
        ? jump("names: the node's resolver", resolver, daddr(hostOf(server)), ...match)
        : accept("names: the node's resolver", daddr(hostOf(server)), ...match),
    ),
  );
  const say = (set: LaneSet, lines: readonly (readonly NftMatch[])[]) =>
    lines.flatMap((m) => {
      if (set.lane === "tunnel")
        return [...(isPorted(set) ? [] : lateQueryLines(ground, ...m)), accept(noteOf(set), ...m)];
      return [set.lane === "block" ? reject(noteOf(set), ...m) : drop(noteOf(set), ...m)];
    });
  const whole = ground.lanes.flatMap((set) => say(set, linesOf(set, ground)));
  return [
    ...ask,
    ...queryLines(ground),
    ...ground.lanes.flatMap((set) => say(set, nearLines(set, ground))),
    ...whole,
    ...lateQueryLines(ground),
    accept(ground.only ? "who has an inside address" : "the tunnel takes everything else"),
  ];
}

/** Lock 2, out by a link: the lines of rules about the LAN, and those of all rules. */
export function laneLines2(ground: Ground, link: OutsideLink | null): Lines {
  const out = (set: LaneSet) => ground.direct && (link === null || leavesBy(ground, set, link));
  const say = (set: LaneSet, lines: readonly (readonly NftMatch[])[], goes: boolean, near = false) =>
    lines.flatMap((m) => {
      if (!goes) return [set.lane === "block" ? reject(noteOf(set), ...m) : drop(noteOf(set), ...m)];
      const pass = isHidden(set.selection) ? jump(noteOf(set), passed, ...m) : accept(noteOf(set), ...m);
      return [...(isPorted(set) && !near ? [] : lateQueryLines(ground, ...m)), pass];
    });
  return {
    near: ground.lanes.flatMap((set) => {
      const lan = isLan(ground, set, link);
      return say(set, lan ? nearLines(set, ground) : nearLines(set, ground, groups), lan, true);
    }),
    all: ground.lanes.flatMap((set) => say(set, linesOf(set), set.lane === "direct" && out(set))),
  };
}

export interface Lines {
  readonly near: readonly NftRule[];
  readonly all: readonly NftRule[];
}

/** Lock 3: `own` are the addresses that a packet of this link may carry; null where it is not asked. */
export function laneLines3(
  ground: Ground,
  link: OutsideLink | null,
  own: ((family: Family) => readonly Prefix[]) | null,
): Lines {
  const from = (family: Family): readonly (readonly NftMatch[])[] => own?.(family).map((p) => [saddr(p)]) ?? [[]];
  const seen = (set: LaneSet, family: Family, to: readonly NftMatch[]): readonly (readonly NftMatch[])[] => {
    const hidden = isHidden(set.selection);
    const whole = hidden && own !== null ? [] : matchesOf(set.selection, family, sources(set, family));
    const marked = hidden ? visibleOf(set.selection, family).map((m) => [isPassed, ...m]) : [];
    return [...marked, ...whole].map((m) => [...m, ...to]);
  };
  const out = (set: LaneSet) =>
    families.flatMap((family) =>
      destinationsOf(set, family).flatMap((to) =>
        from(family).flatMap((source) =>
          seen(set, family, to).flatMap((m) => pass(set, isPorted(set), ...source, ...m)),
        ),
      ),
    );
  const pass = (set: LaneSet, ported: boolean, ...m: NftMatch[]): readonly NftRule[] => [
    ...(ported ? [] : lateQueryLines(ground, ...m)),
    acceptCounted(noteOf(set), ...m),
  ];
  const refuse = (set: LaneSet, lines: readonly (readonly NftMatch[])[]) => lines.map((m) => drop(noteOf(set), ...m));
  const goes = (set: LaneSet) =>
    set.lane === "direct" && ground.direct && (link === null || leavesBy(ground, set, link));
  return {
    near: ground.lanes.flatMap((set) => {
      if (!isLan(ground, set, link)) return refuse(set, nearLines(set, ground, groups));
      return families.flatMap((family) =>
        set.near[family].flatMap((to) => seen(set, family, [daddr(to)]).flatMap((m) => pass(set, false, ...m))),
      );
    }),
    // what comes from elsewhere than the link's own addresses is refused by the same rule
    all: ground.lanes.flatMap((set) => [
      ...(goes(set) ? out(set) : []),
      ...(goes(set) && own === null ? [] : refuse(set, linesOf(set))),
    ]),
  };
}

/** Lock 2, in: answers of what a rule sends direct. */
export function answerLines(ground: Ground, link: OutsideLink): readonly (readonly NftMatch[])[] {
  return ground.lanes
    .filter((set) => leavesBy(ground, set, link))
    .flatMap((set) =>
      families.flatMap((family) => {
        if (set.prefixes[family].length === 0) return [];
        const from: NftMatch = set.named
          ? { kind: "saddr-set", family, set: destinations(set, family) }
          : ofFamily(family);
        return answersOf(set.selection, family).map((m) => [from, ...m]);
      }),
    );
}

/** The LAN of other links: no rule sends it out by this one (P4). */
export function foreignLan(ground: Ground, link: OutsideLink): readonly (readonly NftMatch[])[] {
  const own = ground.lan.filter((l) => l.link === link.name).map((l) => l.prefix);
  const others = [...new Set(ground.lan.map((l) => l.prefix))];
  return others.filter((prefix) => !own.some((mine) => covers(mine, prefix))).map((prefix) => [daddr(prefix)]);
}

/** What is direct of the LAN goes out by the links that have it. */
function isLan(ground: Ground, set: LaneSet, link: OutsideLink | null): boolean {
  return set.lane === "direct" && (link === null || ground.lan.some((l) => l.link === link.name));
}

function toResolver(ground: Ground): readonly NftRule[] {
  return [
    ...ground.lanes.flatMap((set) =>
      linesOf(set, ground).map((m) => (set.narrow ? reject(noteOf(set), ...m) : accept(noteOf(set), ...m))),
    ),
    accept("names: the node's resolver"),
  ];
}

function ownResolvers(ground: Ground): Ground["resolvers"] {
  const servers = namedServers(ground.policy);
  return ground.resolvers.filter((server) => !servers.includes(server) && asksInside(ground, server));
}

/** Whether lock 2 has something to tell lock 3. */
export function passes(ground: Ground): boolean {
  return ground.lanes.some((set) => set.lane === "direct" && isHidden(set.selection));
}

/**
 * A rule's lines, one a combination. `ground`: in the tunnel, where this machine's packets carry an inside address, which
 * no source of a rule means: their lane was chosen before they had one (3.13).
 */
function linesOf(set: LaneSet, ground?: Ground): readonly (readonly NftMatch[])[] {
  return families.flatMap((family) =>
    destinationsOf(set, family).flatMap((to) => asked(set, family, ground).map((m) => [...m, ...to])),
  );
}

/** `more`: what a block of a program or port without a destination holds besides the LAN's own prefixes. */
function nearLines(set: LaneSet, ground: Ground, more: readonly Prefix[] = []): readonly (readonly NftMatch[])[] {
  return families.flatMap((family) => {
    if (set.prefixes[family].length === 0) return [];
    const wide = set.narrow && !set.named ? more.filter((p) => familyOf(p) === family) : [];
    const to = [...set.near[family], ...wide].map((p) => daddr(p));
    return to.flatMap((where) => asked(set, family, ground).map((m) => [...m, where]));
  });
}

function asked(set: LaneSet, family: Family, ground: Ground | undefined): readonly (readonly NftMatch[])[] {
  const not = set.selection.sources === null ? [] : (ground?.inside[family].map(notSaddr) ?? []);
  return matchesOf(set.selection, family, sources(set, family)).map((m) => [...not, ...m]);
}

function destinationsOf(set: LaneSet, family: Family): readonly (readonly NftMatch[])[] {
  if (set.prefixes[family].length === 0) return [];
  return [[set.named ? daddrSet(family, destinations(set, family)) : ofFamily(family)]];
}

function destinations(set: LaneSet, family: Family): string {
  return `rule${set.place}_v${family}`;
}

function sources(set: LaneSet, family: Family): string {
  return `rule${set.place}_s${family}`;
}

function noteOf(set: LaneSet): string {
  return `rule ${set.rule.id}: ${set.lane}`;
}

function hostOf(server: Ground["resolvers"][number]): Prefix {
  return `${server}/${familyOf(server) === 4 ? 32 : 128}` as Prefix;
}
