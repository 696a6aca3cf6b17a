// The policy as track, read from the left: the main line meets the rules in order, and the first point that fits turns a
// packet off into its lane. A column is a run of neighbouring rules with one lane, whose order among themselves changes
// nothing; the last column catches everything else.
import type { Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import type { Status } from "../../helper/contract/status.ts";
import type { IconName } from "../parts/icons.ts";
import { list, say, type Part } from "./say.ts";

export interface Card {
  readonly id: string;
  /** lan, ipv6 and rest have fixed places and are changed by switches; a rule can be moved and edited. */
  readonly kind: "lan" | "rule" | "ipv6" | "rest";
  readonly lane: Lane;
  readonly name: Part;
  readonly detail: Part;
  readonly icon: IconName;
}

export interface Run {
  readonly lane: Lane;
  readonly cards: readonly Card[];
}

export function boardRuns(policy: Policy, status: Status | null): readonly Run[] {
  const runs: { lane: Lane; cards: Card[] }[] = [];
  for (const card of cardsOf(policy, status)) {
    const last = runs.at(-1);
    // the two ends stand alone: they are not rules of the person's
    const joins =
      last !== undefined && last.lane === card.lane && card.kind !== "rest" && last.cards[0]?.kind === card.kind;
    if (joins) last.cards.push(card);
    else runs.push({ lane: card.lane, cards: [card] });
  }
  return runs;
}

function cardsOf(policy: Policy, status: Status | null): readonly Card[] {
  const lan: Card = {
    id: "lan",
    kind: "lan",
    lane: "direct",
    name: say("lanes.card.lan"),
    detail: lanDetail(status),
    icon: "net",
  };
  const ipv6: Card = {
    id: "ipv6",
    kind: "ipv6",
    lane: "block",
    name: "IPv6",
    detail: say("lanes.card.ipv6"),
    icon: "port",
  };
  const rest: Card = {
    id: "rest",
    kind: "rest",
    lane: policy.mode === "everything" ? "tunnel" : "direct",
    name: say("lanes.card.rest"),
    detail: policy.ipv6 === "carry" ? say("lanes.card.both") : "IPv4",
    icon: "box",
  };
  return [
    // as the compiler lays them: blocked IPv6 is blocked for every lane, and the machine's own link comes before the rules
    ...(policy.ipv6 === "block" ? [ipv6] : []),
    ...(policy.lan.allow ? [lan] : []),
    ...policy.rules.map(ruleCard),
    rest,
  ];
}

function ruleCard(rule: PolicyRule): Card {
  return { id: rule.id, kind: "rule", lane: rule.lane, name: rule.name, detail: matchDetail(rule), icon: iconOf(rule) };
}

function lanDetail(status: Status | null): Part {
  const prefixes = [...new Set((status?.uplinks ?? []).flatMap((uplink) => uplink.lan))];
  if (prefixes.length === 0) return say("lanes.card.lan-none");
  return prefixes.length === 1
    ? (prefixes[0] ?? "")
    : say("lanes.card.more", { first: prefixes[0] ?? "", count: prefixes.length - 1 });
}

/** The first thing the rule looks at, and how many more there are. */
export function matchDetail({ match }: PolicyRule): Part {
  const places = [...(match.destination ?? []), ...(match.names ?? [])];
  const apps = match.apps?.map((app) => ("path" in app ? app.path : "id" in app ? app.id : app.name)) ?? [];
  const all = [...places, ...apps];
  const ports =
    match.ports?.map((port) => (port.from === port.to ? String(port.from) : `${port.from}–${port.to}`)) ?? [];
  if (all.length === 0 && ports.length > 0) return say("lanes.card.ports", { ports: list(ports) });
  if (all.length === 0) return match.protocol ?? say("lanes.card.any");
  return all.length === 1 ? (all[0] ?? "") : say("lanes.card.more", { first: all[0] ?? "", count: all.length - 1 });
}

function iconOf({ match }: PolicyRule): IconName {
  if (match.apps !== undefined) return "machine";
  if (match.names !== undefined) return "name";
  return match.destination === undefined && match.ports !== undefined ? "port" : "net";
}
