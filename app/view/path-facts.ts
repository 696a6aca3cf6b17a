// Status → the words and states of the path picture: machine, uplink, node, internet and the three lanes between them.
// Which lane is open, held or idle is decided here; where its line runs is decided in path.ts.
import type { Status } from "../../helper/contract/status.ts";
import { exceptionsOf, gateIsClosed, isHeld, nodeNow, stepsOf, type Facts } from "./connect.ts";
import { list, ms, rate, say, span, type Speak } from "./say.ts";
import type { Situation } from "./situation.ts";

export interface PathFacts {
  readonly mode: "unknown" | "off" | "connecting" | "on" | "locked";
  readonly label: string;
  readonly machine: string;
  readonly host: string;
  /** null: no network. */
  readonly uplink: { readonly title: string; readonly gateway: string; readonly name: string } | null;
  readonly noUplink: string;
  readonly node: { readonly title: string; readonly name: string; readonly detail: string } | null;
  readonly internet: string;
  readonly lanes: { readonly tunnel: string; readonly direct: string; readonly block: string };
  /** Longest first; the first that fits is drawn. */
  readonly rates: readonly string[];
  readonly inside: string;
  readonly seen: { readonly label: string; readonly address: string } | null;
  /** What stands at the tunnel's line when nothing flows in it. */
  readonly tunnelNote: string;
  readonly direct: DirectLane;
  readonly blocked: { readonly text: string; readonly resting: boolean };
}

/** all: everything goes in the open. lan: ends at the uplink's own network. through: also goes on to the internet. */
export type DirectLane =
  | { readonly kind: "all"; readonly label: string; readonly below: string; readonly lan: string }
  | { readonly kind: "through"; readonly label: string; readonly below: string; readonly lan: string }
  | { readonly kind: "lan"; readonly lan: string }
  | { readonly kind: "held"; readonly label: string }
  | { readonly kind: "none"; readonly label: string };

export function pathFacts(situation: Situation, facts: Facts, speak: Speak): PathFacts {
  const { status } = facts;
  const mode = modeOf(situation, status);
  const word = (key: string): string => speak(say(key));
  const uplink = status?.uplinks[0];
  const more = (status?.uplinks.length ?? 0) - 1;
  const seenAs = status?.seenAs.ipv4 ?? status?.seenAs.ipv6 ?? null;
  return {
    mode,
    label: speak(say(`path.label.${mode}`)),
    machine: word("path.machine"),
    host: status?.host ?? "",
    uplink:
      uplink === undefined
        ? null
        : {
            title: word("path.uplink"),
            gateway: uplink.gateways[0] ?? "",
            name: more > 0 ? `${uplink.name} +${String(more)}` : uplink.name,
          },
    noUplink: word(mode === "unknown" ? "path.unknown" : "path.no-uplink"),
    node: nodeOf(facts, mode, speak),
    internet: word("path.internet"),
    lanes: { tunnel: speak(say("lane.tunnel")), direct: speak(say("lane.direct")), block: speak(say("lane.block")) },
    rates: mode === "on" ? ratesOf(facts, speak) : [],
    inside: mode === "on" ? (status?.inside[0] ?? "").replace(/\/.*/, "") : "",
    seen: mode === "on" && seenAs !== null ? { label: word("path.seen-as"), address: seenAs } : null,
    tunnelNote: tunnelNoteOf(mode, facts, speak),
    direct: directOf(mode, facts, speak),
    blocked: blockedOf(mode, facts, speak),
  };
}

function modeOf(situation: Situation, status: Status | null): PathFacts["mode"] {
  switch (situation) {
    case "reading":
    case "unheard":
      return "unknown";
    case "off":
    case "failed":
      return isHeld(status) ? "locked" : "off";
    case "locked":
      return situation;
    case "connecting":
      return gateIsClosed(status) ? "connecting" : "off";
    case "switching":
      return gateIsClosed(status) ? "connecting" : "on";
    case "leaking":
    case "proven":
    case "protected":
    case "stale":
      return "on";
  }
}

function nodeOf({ status, nodes, now }: Facts, mode: PathFacts["mode"], speak: Speak): PathFacts["node"] {
  // until the gate closes, the line still runs through the node that is left
  const ref = status?.state.kind === "switching" && mode === "on" ? status.state.from : nodeNow(status);
  if (ref === null || mode === "off" || mode === "unknown") return null;
  const median = nodes.find((node) => node.id === ref.id)?.ping?.medianMs ?? null;
  const heard = status?.state.kind === "locked" ? (status.state.lastHeard ?? status.since) : now;
  const silent = status?.state.kind === "locked" && status.state.cause === "node-silent";
  const detail = silent
    ? speak(say("path.silent", { time: span(now - heard) }))
    : median === null
      ? ""
      : speak(ms(median));
  return { title: speak(say("path.node")), name: ref.name, detail: mode === "connecting" ? "· · ·" : detail };
}

function ratesOf({ traffic }: Facts, speak: Speak): readonly string[] {
  if (traffic === null) return [];
  const down = speak(say("readings.down", { rate: rate(traffic.rxPerSecond) }));
  const up = speak(say("readings.up", { rate: rate(traffic.txPerSecond) }));
  return [`${down}  ${up}`, down];
}

function tunnelNoteOf(mode: PathFacts["mode"], { status, traffic }: Facts, speak: Speak): string {
  if (mode === "off") return speak(say("path.idle"));
  if (mode === "connecting") {
    const running = stepsOf(status)?.find((step) => step.state === "running");
    return running === undefined ? "" : speak(say(`path.step.${running.name}`));
  }
  if (mode !== "locked") return "";
  const refused = traffic?.refused ?? 0;
  return refused > 0 ? speak(say("path.gate-count", { count: refused })) : speak(say("path.gate"));
}

function directOf(mode: PathFacts["mode"], facts: Facts, speak: Speak): DirectLane {
  const { status, policy } = facts;
  const word = (key: string): string => speak(say(key));
  if (mode === "unknown") return { kind: "none", label: "" };
  if (mode === "connecting") return { kind: "held", label: word("path.held") };
  if (mode === "off") {
    if (status?.uplinks.length === 0) return { kind: "none", label: "" };
    return { kind: "all", label: word("path.open"), below: word("path.provider"), lan: "" };
  }
  if (policy?.mode === "only")
    return { kind: "through", label: word("path.rest"), below: word("path.provider"), lan: "" };
  const rules = status?.direct.filter((one) => one.kind === "rule").map((one) => one.text) ?? [];
  const hasLan = status?.direct.some((one) => one.kind === "lan") === true;
  const lan = hasLan ? word("path.lan") : "";
  if (rules.length > 0) {
    const shown = list(status === null ? rules : withoutLan(status));
    return { kind: "through", label: speak(shown), below: word("path.provider"), lan };
  }
  return hasLan ? { kind: "lan", lan } : { kind: "none", label: word("path.nothing-direct") };
}

function withoutLan(status: Status): ReturnType<typeof exceptionsOf> {
  return exceptionsOf({ ...status, direct: status.direct.filter((one) => one.kind === "rule") });
}

function blockedOf(mode: PathFacts["mode"], { traffic }: Facts, speak: Speak): PathFacts["blocked"] {
  if (mode === "off") return { text: speak(say("path.resting")), resting: true };
  if (mode === "unknown") return { text: "", resting: true };
  // what a closed gate refuses stands at the tunnel's line
  if (mode === "locked") return { text: speak(say("lanes.sees.block")), resting: false };
  if (traffic === null) return { text: "", resting: false };
  return { text: speak(say("path.refused", { count: traffic.refused })), resting: false };
}
