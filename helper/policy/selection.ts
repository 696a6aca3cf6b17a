// What a rule asks besides the destination: source, user, program, protocol and port, and how it is said. Routing says it
// as selectors of `ip rule`, one line for each combination, all of them leading to the rule's table; the gate says it as
// nft matches. What each can see of a packet:
//                 routing (first lookup)                lock 2                     lock 3 (egress)
//   source        only once it is chosen (3.13):        always                     not behind a masquerade
//                 forwarded, bound, answers
//   user          creator's uid (8.11); the kernel's    owner of the socket; none  as lock 2
//                 own packets count as 0 (2.28)         for the kernel's (2.28)
//   program       the mark its socket was born with     the same                   the same
//   ports         TCP, UDP; not 65535 (L, 8.16)         whole datagrams            first fragment only (4.18)
// Users and programs are made here: `iif lo`, for a forwarded packet counts as uid 0 and its mark is another's.
import type { PolicyMatch, PortRange } from "../contract/policy.ts";
import { lengthOf } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import type { NftMatch } from "../plan/nft.ts";
import { markMask } from "../plan/numbers.ts";
import type { PlanRule } from "../plan/plan.ts";
import { appMark, protocol, tcp, udp } from "./nft-words.ts";
import { prefixSet } from "./prefix-set.ts";
import type { PrefixSet } from "./prefix-set.ts";

/** null in a field: whatever it is. An empty list: nothing ever. */
export interface Selection {
  readonly sources: PrefixSet | null;
  readonly users: readonly PortRange[] | null;
  readonly marks: readonly number[] | null;
  readonly services: readonly Service[] | null;
}

export interface Service {
  readonly protocol: Readonly<Record<Family, number>>;
  readonly ports: PortRange | null;
}

/** Lines that one rule may need in one family; 8 ns a rule and packet (Numbers). */
export const maxLines = 1024;

export function selectionOf(match: PolicyMatch, marks: readonly number[]): Selection {
  return {
    sources: match.source === undefined ? null : prefixSet(match.source),
    users: match.users === undefined ? null : rangesOf(match.users.map((uid) => ({ from: uid, to: uid }))),
    marks: match.apps === undefined ? null : marks,
    services: servicesOf(match),
  };
}

export function asksNothing({ sources, users, marks, services }: Selection): boolean {
  return sources === null && users === null && marks === null && services === null;
}

/** Whoever asks names here is nobody in particular: no program, no user, no source of its own. */
export function asksNobody({ sources, users, marks }: Selection): boolean {
  return sources === null && users === null && marks === null;
}

export function hasService({ services }: Selection, number: number, port: number): boolean {
  if (services === null) return true;
  return services.some(
    (s) => s.protocol[4] === number && (s.ports === null || (s.ports.from <= port && port <= s.ports.to)),
  );
}

/** What lock 3 cannot see of every packet; there lock 2's word (its mark) counts, together with the addresses. */
export function isHidden({ sources, services }: Selection): boolean {
  return sources !== null || (services?.some((s) => s.ports !== null) ?? false);
}

type Selectors = Omit<PlanRule, "family" | "priority" | "action" | "to" | "oif">;

/** One for each line of `ip rule` that says the selection. */
export function selectorsOf(selection: Selection, family: Family): readonly Selectors[] {
  const { sources, users, marks, services } = selection;
  const from = sources === null ? [{}] : sources[family].flatMap(sayable).map((p) => (p === null ? {} : { from: p }));
  const here = users === null && marks === null ? {} : { iif: "lo" };
  const owners = (users ?? [null]).flatMap((uids) =>
    (marks ?? [null]).map((value) => ({
      ...here,
      ...(value !== null && { mark: { value, mask: markMask } }),
      ...(uids !== null && { uids }),
    })),
  );
  const kinds = (services ?? [null]).flatMap((s) => (s === null ? [{}] : routed(s, family)));
  return from.flatMap((a) => owners.flatMap((b) => kinds.map((c) => ({ ...a, ...b, ...c }))));
}

/** One list of matches for each line of nft that says the selection; `sources` is the name of the set of sources. */
export function matchesOf(selection: Selection, family: Family, sources: string): readonly (readonly NftMatch[])[] {
  const { services } = selection;
  if (selection.sources?.[family].length === 0) return [];
  const from: readonly NftMatch[] = selection.sources === null ? [] : [{ kind: "saddr-set", family, set: sources }];
  const kinds = (services ?? [null]).map((s): readonly NftMatch[] => {
    if (s === null) return [];
    return [protocol(s.protocol[family]), ...(s.ports === null ? [] : [{ kind: "dport" as const, ...s.ports }])];
  });
  return ownersOf(selection).flatMap((owner) => kinds.map((kind) => [...owner, ...from, ...kind]));
}

/** What lock 3 sees of a packet that lock 2 has found to be the rule's. */
export function visibleOf(selection: Selection, family: Family): readonly (readonly NftMatch[])[] {
  const protocols = [...new Set(selection.services?.map((s) => s.protocol[family]) ?? [null])];
  return ownersOf(selection).flatMap((owner) => protocols.map((p) => [...owner, ...(p === null ? [] : [protocol(p)])]));
}

/** What answers to the rule's packets look like, the other way round. */
export function answersOf({ services }: Selection, family: Family): readonly (readonly NftMatch[])[] {
  return (services ?? [null]).map((s) => {
    if (s === null) return [];
    return [protocol(s.protocol[family]), ...(s.ports === null ? [] : [{ kind: "sport" as const, ...s.ports }])];
  });
}

function ownersOf({ users, marks }: Selection): readonly (readonly NftMatch[])[] {
  const of = (users ?? [null]).map((r): readonly NftMatch[] => (r === null ? [] : [{ kind: "skuid", ...r }]));
  return of.flatMap((user) => (marks ?? [null]).map((m) => (m === null ? user : [appMark(m), ...user])));
}

/** Ports without a protocol are those of TCP and UDP; ICMP has none. */
function servicesOf({ protocol: named, ports }: PolicyMatch): readonly Service[] | null {
  if (named === undefined && ports === undefined) return null;
  const all = { tcp: { 4: tcp, 6: tcp }, udp: { 4: udp, 6: udp }, icmp: { 4: 1, 6: 58 } };
  const of = named === undefined ? [all.tcp, all.udp] : [all[named]];
  if (ports === undefined) return of.map((number) => ({ protocol: number, ports: null }));
  return named === "icmp" ? [] : of.flatMap((number) => rangesOf(ports).map((r) => ({ protocol: number, ports: r })));
}

/** Sorted, and what touches is one. */
export function rangesOf(ranges: readonly PortRange[]): readonly PortRange[] {
  const out: PortRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1);
    if (last !== undefined && range.from <= last.to + 1)
      out[out.length - 1] = { ...last, to: Math.max(last.to, range.to) };
    else out.push(range);
  }
  return out;
}

/** L, 8.16: a rule says neither port 0 nor 65535; all of them is no port at all. */
function routed({ protocol: of, ports }: Service, family: Family): readonly Selectors[] {
  const number = { protocol: of[family] };
  if (ports === null || (ports.from <= 1 && ports.to === 65535)) return [number];
  const dport = { from: Math.max(1, ports.from), to: Math.min(65534, ports.to) };
  return dport.from <= dport.to ? [{ ...number, dport }] : [];
}

/**
 * IPv4 asks with 0.0.0.0 while the source is not chosen, so a `from` that begins there matches it (3.13). 0/8 is nobody's
 * source (RFC 1122, 3.2.1.3): it is left out. Null: every source, which is no selector.
 */
function sayable(prefix: Prefix): readonly (Prefix | null)[] {
  const length = lengthOf(prefix);
  if (length === 0) return [null];
  if (!prefix.startsWith("0.")) return [prefix];
  // 0.0.0.0/5 is 1/8, 2/7, 4/6
  return Array.from({ length: Math.max(0, 8 - length) }, (_, i) => `${2 ** i}.0.0.0/${8 - i}` as Prefix);
}
