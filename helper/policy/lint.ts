// What a person should know of a plan that stands: notes refuse nothing. They cross the socket as one line each, a code
// with its data; the words are the window's.
import type { PlanCode } from "../contract/note-codes.ts";
import { familyOf, lengthOf } from "../contract/prefix.ts";
import type { Address, Prefix } from "../contract/prefix.ts";
import type { PolicyRule } from "../contract/policy.ts";
import type { KernelFeatures } from "../plan/facts.ts";
import { rulesOf } from "../plan/names.ts";
import { ranges } from "../plan/numbers.ts";
import { families, groundOf } from "./ground.ts";
import type { Ground, Request } from "./ground.ts";
import { dnsOf } from "./dns.ts";
import { apartOf, directServers } from "./name-lanes.ts";
import { ruleNotes } from "./lint-rules.ts";
import { outranking, rivals } from "./takeover.ts";
import { unapprovedOf } from "./uplinks.ts";

export interface Note {
  readonly code: PlanCode;
  readonly data: Readonly<Record<string, string | number>>;
}

export function notes(request: Request): readonly Note[] {
  const ground = groundOf(request);
  return [
    ...unapprovedOf(ground.policy, ground.links).map((l) => note("lan.unapproved", { link: l.link, prefix: l.prefix })),
    // a rule is judged by what is written; what names were answered with comes and goes
    ...ruleNotes(groundOf({ ...request, facts: { ...request.facts, names: [] } })),
    ...sharedNames(request),
    ...nameLaneNotes(ground),
    ...(ground.exit === null ? [] : exitNotes(ground)),
    ...formNotes(ground),
    ...ground.facts.others.filter((o) => !o.excludes).map((o) => note("vpn.beside", { name: o.name })),
    ...ground.facts.rules
      .filter((r) => r.priority > 0 && r.priority < (ground.policy.form === "table" ? ranges.firstPriority : mainRule))
      .filter((r) => r.priority < ranges.firstPriority || r.priority > ranges.lastPriority)
      .map((r) => note("rule.foreign", { family: r.family, priority: r.priority })),
    ...ground.facts.links
      .filter((l) => l.type === arphrdPpp && ground.ways.some((way) => way.dev === l.name))
      .map((l) => note("uplink.ppp", { link: l.name })),
    ...(ground.facts.features.devicePrefix ? [] : [note("gate.no-device-prefix", {})]),
    ...(ground.facts.features.owner ? [] : [note("gate.no-owner", {})]),
    ...(nftIsOld(ground.facts.features) ? [note("nft.old", {})] : []),
  ];
}

/**
 * nft before 1.1.6 knows no device prefix (NFTA_DEVICE_PREFIX came into the kernel in September 2025, after 1.1.5). 1.0.6
 * sees the rules of a chain that it does not see, takes that for a race, and lists again for ever; which one between the two
 * no longer does was not tried.
 */
export function nftIsOld({ devicePrefix, nftTool }: KernelFeatures): boolean {
  const [major = 0, minor = 0, patch = 0] = (nftTool ?? "").split(".").map(Number);
  return devicePrefix && nftTool !== undefined && (major - 1 || minor - 1 || patch - 6) < 0;
}

export function printNote({ code, data }: Note): string {
  return [code, ...Object.entries(data).map(([key, value]) => `${key}=${value}`)].join(" ");
}

/** ARPHRD_PPP, linux/if_arp.h */
const arphrdPpp = 512;

/** RT_TABLE_MAIN's own rule: with a form that lies in main, every rule before it decides first. */
const mainRule = 32_766;
/** A network that pushes more than these has made its point. */
const shownRoutes = 8;

function formNotes(ground: Ground): readonly Note[] {
  const { form } = ground.policy;
  if (form === "table" || ground.exit === null) return [];
  const rival = families.flatMap((family) => (form === "metric" ? rivals(ground.facts, family) : []));
  return [
    note("form.main", { form }),
    ...rival.map((r) => note("form.no-metric", { family: r.family, link: r.legs[0]?.dev ?? "-", metric: r.metric })),
    ...outranking(ground)
      .slice(0, shownRoutes)
      .map((r) => note("form.outranked", { prefix: r.prefix, link: r.legs[0]?.dev ?? r.type })),
  ];
}

/** Of addresses that more than one name was answered with; a shared host is common, two lanes for it are not. */
function sharedNames({ policy, facts }: Request): readonly Note[] {
  const first = new Map<Address, { readonly name: string; readonly rule: PolicyRule }>();
  const told = new Map<string, Note>();
  for (const { name, addresses } of facts.names ?? []) {
    const rule = policy.rules[rulesOf(policy, name)[0] ?? -1];
    if (rule === undefined) continue;
    for (const address of addresses) {
      const other = first.get(address);
      if (other === undefined) first.set(address, { name, rule });
      else if (other.rule.lane !== rule.lane)
        told.set(`${name} ${other.name}`, note("names.shared", { address, name, other: other.name }));
    }
  }
  return [...told.values()].slice(0, shownNames);
}

const shownNames = 16;

/** Programs whose names should go another lane than the machine's, and what keeps them from it here. */
function nameLaneNotes(ground: Ground): readonly Note[] {
  const apart = apartOf(ground).filter(({ lane }) => lane !== "block");
  if (apart.length === 0) return [];
  const { resolver, features } = ground.facts;
  const nobody = apart.some(({ lane }) => lane === "direct") && directServers(ground.policy, ground.facts).length === 0;
  return [
    ...(features.redirects === true ? [] : [note("names.not-led", {})]),
    ...(resolver.asksForAll === undefined ? [] : [note("names.for-all", { by: resolver.asksForAll })]),
    ...(nobody ? [note("names.nobody-direct", {})] : []),
  ];
}

function exitNotes(ground: Ground): readonly Note[] {
  const carried = ground.exit?.allowedIps ?? [];
  const partial = families
    .filter((family) => ground.carries[family])
    .filter((family) => !coversAll(carried.filter((prefix) => familyOf(prefix) === family)));
  const immutable = ground.facts.resolver.resolvConf.immutable && ground.open && dnsOf(ground) === null;
  return [
    ...(ground.carries[4] ? [] : [note("ipv4.blocked", {})]),
    ...(ground.carries[6] ? [] : [note(ground.facts.features.ipv6Off === true ? "ipv6.off" : "ipv6.blocked", {})]),
    ...partial.map((family) => note("exit.partial", { family })),
    ...(ground.resolvers.length === 0 ? [note("dns.none", {})] : immutable ? [note("dns.immutable", {})] : []),
  ];
}

/** 0/0, or pieces that sum up to it: their shares of the whole are exact binary fractions. */
function coversAll(prefixes: readonly Prefix[]): boolean {
  return prefixes.reduce((sum, prefix) => sum + 2 ** -lengthOf(prefix), 0) >= 1;
}

function note(code: Note["code"], data: Note["data"]): Note {
  return { code, data };
}
