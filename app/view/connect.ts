// Everything the Connect screen says, as a value: lamp, headline, what is behind it, the actions and four readings.
// Nothing here claims more than the status does; what is not known is said to be not known.
import type { Node } from "../../helper/contract/node.ts";
import type { Policy } from "../../helper/contract/policy.ts";
import type { Status, Step, Traffic } from "../../helper/contract/status.ts";
import type { HelperLink } from "../../preload/bridge.ts";
import { notesOf, type Note } from "./notes.ts";
import { preferredNode, quickest } from "./nodes.ts";
import { readingsOf, type Reading } from "./readings.ts";
import { sayRefusal } from "./refusal.ts";
import { age, clock, list, ms, say, span, type Part, type Say } from "./say.ts";
import { hasNoUplink, lampOf, situationOf, type LampState, type Situation } from "./situation.ts";

export interface Facts {
  readonly link: HelperLink | null;
  readonly status: Status | null;
  readonly nodes: readonly Node[];
  readonly policy: Policy | null;
  readonly traffic: Traffic | null;
  /** The node the person chose on the Nodes screen. */
  readonly chosen: string | null;
  /** Notes that the person put away. */
  readonly away: ReadonlySet<string>;
  readonly now: number;
}

export type Act =
  | { readonly kind: "connect"; readonly node: string; readonly say: Say; readonly first: boolean }
  | { readonly kind: "disconnect" | "choose" | "leaks"; readonly say: Say; readonly first: boolean };

export interface ConnectView {
  readonly situation: Situation;
  readonly lamp: LampState;
  /** How far the water stands in the lamp while connecting, 0…1. */
  readonly water: number;
  readonly headline: Say;
  readonly who: readonly Part[];
  readonly addresses: readonly string[];
  readonly words: readonly Say[];
  /** What a person should look at. */
  readonly notes: readonly Note[];
  readonly acts: readonly Act[];
  readonly steps: readonly Step[] | null;
  readonly readings: readonly Reading[];
}

export function connectView(facts: Facts): ConnectView {
  const situation = situationOf(facts);
  const steps = stepsOf(facts.status);
  return {
    situation,
    lamp: lampOf(situation),
    water: steps === null ? 0 : steps.filter((step) => step.state === "done").length / Math.max(1, steps.length),
    headline: headlineOf(situation, facts),
    who: whoOf(situation, facts),
    addresses: addressesOf(situation, facts.status),
    words: wordsOf(situation, facts),
    notes: notesOf(facts.status, facts.away),
    acts: actsOf(situation, facts),
    steps,
    readings: readingsOf(situation, facts),
  };
}

/** The sentence of now, also shown in the strip of the other screens and read aloud when it changes. */
export function headlineOf(
  situation: Situation,
  { status, traffic, now }: Pick<Facts, "status" | "traffic" | "now">,
): Say {
  const state = status?.state;
  if (state?.kind === "connecting") return say("now.connecting", { node: state.node.name });
  if (state?.kind === "switching") return say("now.switching", { node: state.to.name });
  if (state?.kind === "locked") return say(`now.locked.${state.cause}`, { node: state.node.name });
  if (situation === "leaking") return say("now.leaking", { count: traffic?.wire?.beside ?? 0 });
  if (situation === "stale" && status?.proof) return say("now.stale", { age: span(now - status.proof.at) });
  if (situation === "off" && hasNoUplink(status)) return say("now.no-uplink");
  return say(`now.${situation}`);
}

/** The node the traffic goes or shall go through. */
export function nodeNow(status: Status | null): { readonly id: string; readonly name: string } | null {
  const state = status?.state;
  if (state === undefined || state.kind === "off") return null;
  return state.kind === "switching" ? state.to : state.node;
}

export function stepsOf(status: Status | null): readonly Step[] | null {
  const state = status?.state;
  return state?.kind === "connecting" || state?.kind === "switching" ? state.steps : null;
}

/** Nothing is connected, and the kill switch keeps the machine closed all the same. */
export function isHeld(status: Status | null): boolean {
  return status?.notices.includes("gate.at-rest") === true;
}

/** While connecting or switching: the first step is done, and what is not of the tunnel stays in the machine. */
export function gateIsClosed(status: Status | null): boolean {
  return stepsOf(status)?.some((step) => step.name === "gate-closed" && step.state === "done") === true;
}

function whoOf(situation: Situation, { status, nodes, policy, now }: Facts): readonly Part[] {
  const state = status?.state;
  switch (situation) {
    case "reading":
      return [say("who.reading")];
    case "unheard":
      return [say("who.unheard")];
    case "off":
      if (status?.uplinks.length === 0) return [say("who.no-uplink")];
      return [say(isHeld(status) ? "who.off-held" : "who.off")];
    case "connecting":
      return [say(gateIsClosed(status) ? "who.connecting" : "who.connecting-open")];
    case "switching":
      return state?.kind === "switching" ? [say("who.switching", { node: state.from.name })] : [];
    case "failed":
      return state?.kind === "failed" ? [sayRefusal(state.refusal, { nodes, rules: policy?.rules ?? [] })] : [];
    case "locked":
      return state?.kind === "locked" && status !== null ? lockedWho(state, status, now) : [];
    case "leaking":
      return [say("who.leaking", { node: nodeNow(status)?.name ?? "" })];
    case "stale":
      return status === null ? [] : staleWho(status);
    case "proven":
      return status?.proof == null
        ? []
        : [placeOf(status, nodes), say("who.proven", { time: age(now - status.proof.at) })];
    case "protected":
      return status === null ? [] : [placeOf(status, nodes)];
  }
}

type Locked = Extract<Status["state"], { kind: "locked" }>;

function lockedWho(state: Locked, status: Status, now: number): readonly Part[] {
  const parts: Part[] = [];
  if (state.cause === "node-silent")
    parts.push(say("who.silent", { time: span(now - (state.lastHeard ?? status.since)) }));
  else if (state.cause === "fight" && state.by !== undefined) parts.push(fightWho(state.by, status));
  else parts.push(say(`who.locked.${state.cause}`, { node: state.node.name }));
  // where others stand in the way the node was not asked
  const asked = state.cause !== "fight" && state.cause !== "plan-broken";
  if (asked && state.attempts > 0) parts.push(say("who.attempts", { count: state.attempts }));
  return parts;
}

function fightWho(who: string, status: Status): Part {
  const last = status.drift.filter((one) => one.author === who).sort((a, b) => b.at - a.at)[0];
  return last === undefined ? say("who.fight-by", { who }) : say("who.fight-over", { who, what: last.what });
}

function staleWho(status: Status): readonly Part[] {
  const drift = status.drift.filter((one) => !one.mended).sort((a, b) => b.at - a.at)[0];
  if (drift === undefined) return [say("who.stale-age")];
  const who = drift.author ?? say("who.someone");
  return [say("who.drift", { time: clock(drift.at, true), who, what: drift.what })];
}

function placeOf(status: Status, nodes: readonly Node[]): Part {
  const ref = nodeNow(status);
  const node = nodes.find((one) => one.id === ref?.id);
  const name = node?.name ?? ref?.name ?? "";
  const city = node?.city ?? null;
  const place = [city === name ? null : city, node?.country ?? null].filter((part) => part !== null);
  return place.length === 0 ? name : `${name}, ${place.join(" ")}`;
}

function addressesOf(situation: Situation, status: Status | null): readonly string[] {
  if (status === null || (situation !== "proven" && situation !== "protected")) return [];
  return [status.seenAs.ipv4, status.seenAs.ipv6].filter((address) => address !== null);
}

function wordsOf(situation: Situation, facts: Facts): readonly Say[] {
  const { status, nodes, now } = facts;
  if (status === null) return [say(`words.${situation}`)];
  const node = nodeNow(status)?.name ?? "";
  switch (situation) {
    case "reading":
    case "unheard":
      return [say(`words.${situation}`)];
    case "off":
    case "failed":
      return [...offWords(situation, facts), ...(status.uplinks.length === 0 ? [] : reasonWords(nodes))];
    case "connecting":
      return [say(status.proof === null ? "words.connecting" : "words.connecting-proven", proofData(status))];
    case "switching":
      return [say("words.switching", { node })];
    case "leaking":
      return [say("words.leaking", { node })];
    case "stale":
      return [say("words.stale", { node }), say("who.proving"), say("words.stale-next")];
    case "locked":
      return [lockedWords(status), say(lockedNext(status), { node })];
    case "proven":
      return [throughWords(facts, node), ipv6Words(status), say("words.breaks")];
    case "protected":
      return [throughWords(facts, node), say("words.read-back", { time: span(now - status.since) }), ipv6Words(status)];
  }
}

function offWords(situation: "off" | "failed", { status }: Facts): readonly Say[] {
  const uplink = status?.uplinks[0];
  const words: Say[] = situation === "failed" ? [say("words.failed")] : [];
  if (uplink === undefined) return [...words, say("words.no-uplink"), say("words.no-uplink-next")];
  words.push(isHeld(status) ? say("words.off-held") : say("words.off", { uplink: uplink.name }));
  return words;
}

function reasonWords(nodes: readonly Node[]): readonly Say[] {
  const node = preferredNode(nodes);
  if (node === null) return [];
  const best = quickest(nodes);
  const data = { node: node.name, time: ms(node.ping?.medianMs ?? 0) };
  if (node.id === best?.id && nodes.length > 1) return [say("words.quickest", data)];
  if (node.lastUsed !== null) return [say(node.ping?.medianMs == null ? "words.last" : "words.last-ping", data)];
  return [];
}

function proofData(status: Status): Readonly<Record<string, Part>> {
  const { proof } = status;
  if (proof === null) return {};
  return { states: say("words.states", { count: proof.states }), kinds: say("words.kinds", { count: proof.classes }) };
}

/** What leaves beside the tunnel by the person's own wish, named in the same breath as the rule. */
export function exceptionsOf(status: Status): readonly Part[] {
  const lan = status.direct.some((one) => one.kind === "lan") ? [say("words.lan")] : [];
  const rules = status.direct.filter((one) => one.kind === "rule").map((one) => one.text);
  const shown = rules.slice(0, 3);
  const more = rules.length > 3 ? [say("words.more-rules", { count: rules.length - 3 })] : [];
  return [...lan, ...shown, ...more];
}

function throughWords({ status, policy }: Facts, node: string): Say {
  if (policy?.mode === "only") {
    const chosen = policy.rules.filter((rule) => rule.lane === "tunnel").map((rule) => rule.name);
    if (chosen.length === 0) return say("words.only-nothing", { node });
    return say("words.only", { node, what: list(chosen.slice(0, 4)) });
  }
  const parts = status === null ? [] : exceptionsOf(status);
  return parts.length === 0 ? say("words.all", { node }) : say("words.all-but", { node, what: list(parts) });
}

function ipv6Words(status: Status): Say {
  return say(`words.ipv6.${status.ipv6}`);
}

function lockedWords(status: Status): Say {
  if (status.uplinks.length === 0) return say("words.no-uplink");
  const parts = exceptionsOf(status);
  return parts.length === 0 ? say("words.locked") : say("words.locked-but", { what: list(parts) });
}

function lockedNext(status: Status): string {
  const cause = status.state.kind === "locked" ? status.state.cause : "node-silent";
  return cause === "plan-broken" || cause === "fight" ? `words.locked-next.${cause}` : "words.locked-next.waiting";
}

function actsOf(situation: Situation, { status, nodes, chosen }: Facts): readonly Act[] {
  const disconnect: Act = { kind: "disconnect", say: say("act.disconnect"), first: false };
  const choose: Act = { kind: "choose", say: say("act.choose"), first: false };
  const connectTo = (node: Node, key: string): Act => ({
    kind: "connect",
    node: node.id,
    say: say(key, { node: node.name, time: ms(node.ping?.medianMs ?? 0) }),
    first: true,
  });
  switch (situation) {
    case "reading":
    case "unheard":
      return [];
    case "off":
    case "failed": {
      const node = nodes.find((one) => one.id === chosen) ?? preferredNode(nodes);
      if (node === null || hasNoUplink(status)) return [choose];
      return [choose, connectTo(node, situation === "failed" ? "act.again" : "act.connect")];
    }
    case "connecting":
      return [{ kind: "disconnect", say: say("act.cancel"), first: false }];
    case "switching":
      return [disconnect];
    case "locked": {
      const other = quickest(nodes, nodeNow(status)?.id ?? null);
      return other === null ? [disconnect] : [disconnect, connectTo(other, "act.switch-ping")];
    }
    case "leaking":
      return [disconnect, { kind: "leaks", say: say("act.leaks"), first: true }];
    case "proven":
    case "protected":
    case "stale":
      return [{ kind: "choose", say: say("act.switch"), first: false }, disconnect];
  }
}
