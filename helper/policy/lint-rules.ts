// What is odd in the rules themselves, said when they are written: rules that never decide, that say what holds anyway, or
// that let out more than their author may think. A set of a million is not walked for a hint.
import type { RuleCode } from "../contract/note-codes.ts";
import { coversName } from "../contract/name.ts";
import { covers, familyOf, lengthOf } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { dnsPorts } from "./dns.ts";
import type { LaneSet } from "./lanes.ts";
import { has, prefixSet } from "./prefix-set.ts";
import type { PrefixSet } from "./prefix-set.ts";
import { asksNobody, asksNothing, hasService } from "./selection.ts";
import type { Selection, Service } from "./selection.ts";

export interface RuleNote {
  readonly code: RuleCode;
  readonly data: Readonly<Record<string, string>>;
}

export function ruleNotes(ground: Ground): readonly RuleNote[] {
  return ground.lanes.flatMap((set) => {
    const dead = neverDecides(ground, set) ?? takenBefore(ground, set);
    if (dead !== null) return [dead];
    const opens = ground.only || set.lane !== "direct" ? null : opening(set);
    return [
      ...behindLan(ground, set),
      ...(isIdle(ground, set) ? [note(set, "rule.idle")] : []),
      ...(opens === null ? [] : [note(set, opens)]),
    ];
  });
}

/** Prefixes that are compared for a hint. */
const few = 4096;

const note = (set: LaneSet, code: RuleCode, data: RuleNote["data"] = {}): RuleNote => ({
  code,
  data: { rule: set.rule.id, ...data },
});

function neverDecides(ground: Ground, set: LaneSet): RuleNote | null {
  const { sources, users, marks } = set.selection;
  const asked = set.rule.match.destination ?? [];
  // what names will be answered with is not known when a rule is written
  if (set.rule.match.names !== undefined) return null;
  if (set.named && asked.every((p) => familyOf(p) === 6) && ground.policy.ipv6 === "block")
    return note(set, "rule.ipv6-blocked");
  if (set.named && asked.length <= few && asked.every((p) => itself.some((own) => covers(own, p))))
    return note(set, "rule.itself");
  if (sources === null) return null;
  if (families.every((f) => sources[f].length === 0 || set.prefixes[f].length === 0))
    return note(set, "rule.no-family");
  const own = ground.facts.addresses.map((a) => a.address.slice(0, a.address.indexOf("/")) as Prefix);
  const inside = families.flatMap((f) => ground.inside[f]);
  const here = families.some((f) => sources[f].some((s) => [...own, ...inside].some((a) => covers(s, a))));
  return (users !== null || marks !== null) && !here ? note(set, "rule.not-here") : null;
}

const itself = ["127.0.0.0/8", "::1/128"] as Prefix[];

function takenBefore(ground: Ground, set: LaneSet): RuleNote | null {
  if (set.rule.match.names !== undefined) return takenByName(ground, set);
  if (sizeOf(set.prefixes) > few || sizeOf(set.prefixes) === 0) return null;
  const earlier = ground.lanes
    .slice(0, set.place)
    .filter((one) => sizeOf(one.prefixes) <= few && isAskedBy(one.selection, set.selection));
  const same = earlier.find((one) => isSame(one, set));
  if (same !== undefined)
    return note(set, same.lane === set.lane ? "rule.twice" : "rule.contradicts", { by: same.rule.id });
  const taken = prefixSet(earlier.flatMap((one) => [...one.prefixes[4], ...one.prefixes[6]]));
  const near = prefixSet(earlier.flatMap((one) => [...one.near[4], ...one.near[6]]));
  return isWithin(set.prefixes, taken) && isWithin(set.near, near) ? note(set, "rule.dead") : null;
}

/** Names are taken by names, and by rules that take whatever it is. */
function takenByName(ground: Ground, set: LaneSet): RuleNote | null {
  const { names = [] } = set.rule.match;
  const earlier = ground.lanes.slice(0, set.place).filter((one) => isAskedBy(one.selection, set.selection));
  const all = earlier.find((one) => !one.named);
  if (all !== undefined) return note(set, "rule.dead");
  if (names.length > few || !isWithin(set.prefixes, prefixSet(earlier.flatMap((one) => prefixesOf(one))))) return null;
  const means = (one: LaneSet, name: string): boolean =>
    one.rule.match.names?.some((n) => coversName(n, name)) === true;
  const same = earlier.find((one) => names.every((n) => means(one, n)) && isWithin(set.prefixes, one.prefixes));
  if (same !== undefined && same.rule.match.names?.every((n) => means(set, n)) === true)
    return note(set, same.lane === set.lane ? "rule.twice" : "rule.contradicts", { by: same.rule.id });
  return names.every((n) => earlier.some((one) => means(one, n))) ? note(set, "rule.dead") : null;
}

function prefixesOf({ prefixes }: LaneSet): readonly Prefix[] {
  return sizeOf(prefixes) > few ? [] : [...prefixes[4], ...prefixes[6]];
}

function isSame(one: LaneSet, other: LaneSet): boolean {
  return (
    isAskedBy(one.selection, other.selection) &&
    isAskedBy(other.selection, one.selection) &&
    isWithin(one.prefixes, other.prefixes) &&
    isWithin(other.prefixes, one.prefixes)
  );
}

/** Whether every packet that `narrow` asks for is one that `wide` asks for, but for destinations. */
function isAskedBy(wide: Selection, narrow: Selection): boolean {
  const held = <T>(outer: readonly T[] | null, inner: readonly T[] | null, by: (a: T, b: T) => boolean): boolean =>
    outer === null || (inner?.every((b) => outer.some((a) => by(a, b))) ?? false);
  const sources = wide.sources === null || (narrow.sources !== null && isWithin(narrow.sources, wide.sources));
  return (
    sources &&
    held(wide.users, narrow.users, (a, b) => a.from <= b.from && b.to <= a.to) &&
    held(wide.marks, narrow.marks, (a, b) => a === b) &&
    held(wide.services, narrow.services, isServedBy)
  );
}

function isServedBy(wide: Service, narrow: Service): boolean {
  if (wide.protocol[4] !== narrow.protocol[4]) return false;
  if (wide.ports === null) return true;
  return narrow.ports !== null && wide.ports.from <= narrow.ports.from && narrow.ports.to <= wide.ports.to;
}

function behindLan(ground: Ground, set: LaneSet): readonly RuleNote[] {
  if (!set.named || set.narrow || sizeOf(set.prefixes) > few) return [];
  const prefixes = new Set(ground.lan.map((l) => l.prefix));
  return [...prefixes]
    .filter((lan) => !has(set.near, lan) && has(set.prefixes, lan))
    .map((prefix) => note(set, "rule.behind-lan", { prefix }));
}

function isIdle(ground: Ground, set: LaneSet): boolean {
  if (set.lane !== ground.otherwise || sizeOf(set.near) > 0) return false;
  // it may also keep its packets from a later rule of another lane
  return ground.lanes.slice(set.place + 1).every((later) => later.lane === set.lane);
}

function opening(set: LaneSet): RuleCode | null {
  const { selection } = set;
  if (set.rule.match.names?.some((name) => !name.replace("*.", "").includes(".")) === true) return "rule.wide-name";
  const ported = set.rule.match.ports !== undefined;
  if (ported && dnsPorts.some(({ protocol, port }) => hasService(selection, protocol, port))) return "rule.opens-names";
  if (selection.marks === null && selection.users?.some((r) => r.from === 0) === true) return "rule.opens-system";
  if (!asksNobody(selection) || !isWide(set)) return null;
  if (asksNothing(selection)) return "rule.opens-all";
  if (web.some((port) => hasService(selection, 6, port))) return "rule.opens-web";
  return ported ? "rule.opens-port" : null;
}

/** TCP 80 and 443: RFC 9110, 4.2. */
const web = [80, 443];

/** A quarter of all addresses of IPv4, or an eighth of IPv6, which is all that is given out (RFC 4291, 2.4). */
function isWide({ named, prefixes }: LaneSet): boolean {
  if (!named) return true;
  if (sizeOf(prefixes) > few) return false;
  const share = (family: Family): number => prefixes[family].reduce((sum, p) => sum + 2 ** -lengthOf(p), 0);
  return share(4) >= 1 / 4 || share(6) >= 1 / 8;
}

function isWithin(inner: PrefixSet, outer: PrefixSet): boolean {
  return families.every((family) => inner[family].every((prefix) => has(outer, prefix)));
}

function sizeOf(set: PrefixSet): number {
  return set[4].length + set[6].length;
}
