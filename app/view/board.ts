// The policy as track, read from the left: the main line meets the rules in order, and the first point that fits turns a
// packet off into its lane. A column is a run of neighbouring rules with one lane, whose order among themselves changes
// nothing; the last column catches everything else.
import type { Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import type { Status } from "../../helper/contract/status.ts";
import type { IconName } from "../parts/icons.ts";
import { nothingKnown, programOf, type Known } from "./programs.ts";
import { printPorts } from "./rule-form.ts";
import { list, say, type Part } from "./say.ts";

export interface Card {
  readonly id: string;
  /** lan, ipv6 and rest have fixed places and are changed by switches; a rule can be moved and edited. */
  readonly kind: "lan" | "rule" | "ipv6" | "rest";
  readonly lane: Lane;
  readonly name: Part;
  readonly detail: Part;
  readonly icon: IconName;
  /** A program's own picture, in place of the icon. */
  readonly picture: string | null;
}

export interface Run {
  readonly lane: Lane;
  readonly cards: readonly Card[];
}

export function boardRuns(policy: Policy, status: Status | null, known: Known = nothingKnown): readonly Run[] {
  const runs: { lane: Lane; cards: Card[] }[] = [];
  for (const card of cardsOf(policy, status, known)) {
    const last = runs.at(-1);
    // the two ends stand alone: they are not rules of the person's
    const joins =
      last !== undefined && last.lane === card.lane && card.kind !== "rest" && last.cards[0]?.kind === card.kind;
    if (joins) last.cards.push(card);
    else runs.push({ lane: card.lane, cards: [card] });
  }
  return runs;
}

function cardsOf(policy: Policy, status: Status | null, known: Known): readonly Card[] {
  const lan: Card = {
    id: "lan",
    kind: "lan",
    lane: "direct",
    name: say("lanes.card.lan"),
    detail: lanDetail(status),
    icon: "net",
    picture: null,
  };
  const ipv6: Card = {
    id: "ipv6",
    kind: "ipv6",
    lane: "block",
    name: "IPv6",
    detail: say("lanes.card.ipv6"),
    icon: "port",
    picture: null,
  };
  const rest: Card = {
    id: "rest",
    kind: "rest",
    lane: policy.mode === "everything" ? "tunnel" : "direct",
    name: say("lanes.card.rest"),
    detail: policy.ipv6 === "carry" ? say("lanes.card.both") : "IPv4",
    icon: "box",
    picture: null,
  };
  return [
    // as the compiler lays them: blocked IPv6 is blocked for every lane, and the machine's own link comes before the rules
    ...(policy.ipv6 === "block" ? [ipv6] : []),
    ...(policy.lan.allow ? [lan] : []),
    ...policy.rules.map((rule) => ruleCard(rule, known)),
    rest,
  ];
}

function ruleCard(rule: PolicyRule, known: Known): Card {
  const [app] = rule.match.apps ?? [];
  return {
    id: rule.id,
    kind: "rule",
    lane: rule.lane,
    name: rule.name,
    detail: matchDetail(rule, known),
    icon: iconOf(rule),
    picture: app === undefined ? null : programOf(app, known.programs).icon,
  };
}

function lanDetail(status: Status | null): Part {
  const prefixes = [...new Set((status?.uplinks ?? []).flatMap((uplink) => uplink.lan))];
  if (prefixes.length === 0) return say("lanes.card.lan-none");
  return prefixes.length === 1
    ? (prefixes[0] ?? "")
    : say("lanes.card.more", { first: prefixes[0] ?? "", count: prefixes.length - 1 });
}

/** The first thing the rule looks at, how many more there are, and the ports if it looks at those too. */
export function matchDetail({ match }: PolicyRule, known: Known = nothingKnown): Part {
  const all: readonly Part[] = [
    ...(match.apps ?? []).map((app) => programOf(app, known.programs).name),
    ...(match.destination ?? []),
    ...(match.names ?? []),
    ...(match.users ?? []).map((uid) => say("lanes.card.user", { name: accountName(uid, known) })),
    ...(match.source ?? []).map((from) => say("lanes.card.from", { from })),
  ];
  const ports = portsDetail(match);
  const [first] = all;
  if (first === undefined) return ports ?? say("lanes.card.any");
  const what = all.length === 1 ? first : say("lanes.card.more", { first, count: all.length - 1 });
  return ports === null ? what : say("lanes.card.with", { what, ports });
}

export const accountName = (uid: number, { accounts }: Known): string =>
  accounts.find((one) => one.uid === uid)?.name ?? String(uid);

function portsDetail({ protocol, ports }: PolicyRule["match"]): Part | null {
  const name = protocol?.toUpperCase() ?? null;
  if (ports === undefined) return name;
  const text = list(ports.map(printPorts));
  return name === null ? say("lanes.card.ports", { ports: text }) : say("lanes.card.protocol", { name, ports: text });
}

function iconOf({ match }: PolicyRule): IconName {
  if (match.apps !== undefined) return "app";
  if (match.users !== undefined) return "user";
  if (match.names !== undefined) return "name";
  return match.destination === undefined && match.source === undefined ? "port" : "net";
}
