// The four readings at the foot of Connect: packets beside the tunnel, time, rates, proof. A reading that was not taken
// says so; it never shows a zero in place of "not watched".
import type { Node } from "../../helper/contract/node.ts";
import type { Policy } from "../../helper/contract/policy.ts";
import type { Status, Traffic } from "../../helper/contract/status.ts";
import { age, clock, ms, rate, say, type Part, type Say } from "./say.ts";
import type { Situation } from "./situation.ts";

export interface Reading {
  readonly name: "beside" | "time" | "rate" | "proof" | "uplink" | "nodes" | "switch" | "heard" | "trip";
  readonly label: Say;
  readonly value: Part;
  readonly detail: Part | null;
  readonly tone: "plain" | "quiet" | "bad";
  /** The rates have a graph of the last minute beside them. */
  readonly graph: boolean;
}

interface Facts {
  readonly status: Status | null;
  readonly nodes: readonly Node[];
  readonly policy: Policy | null;
  readonly traffic: Traffic | null;
  readonly now: number;
}

export function readingsOf(situation: Situation, facts: Facts): readonly Reading[] {
  const { status } = facts;
  if (status === null) return [];
  switch (situation) {
    case "reading":
    case "unheard":
      return [];
    case "off":
    case "failed":
      return [
        uplink(status),
        since("readings.off-since", status, facts.now),
        answering(facts.nodes),
        killSwitch(facts.policy),
      ];
    case "connecting":
    case "switching":
      return [beside(facts.traffic), lasted("readings.since", facts), roundTrip(facts), proofBefore(status)];
    case "locked":
      return [beside(facts.traffic), lasted("readings.blocked-for", facts), heard(status), proof(facts)];
    case "leaking":
    case "proven":
    case "protected":
    case "stale":
      return [beside(facts.traffic), lasted("readings.connected", facts), rates(facts.traffic), proof(facts)];
  }
}

const plain = { detail: null, tone: "plain", graph: false } as const;

/** What the wire watch counted; also the Now strip and Leaks show it. */
export function beside(traffic: Traffic | null): Reading {
  const label = say("readings.beside");
  if (traffic === null) return { ...plain, name: "beside", label, value: say("readings.none-yet"), tone: "quiet" };
  if (traffic.wire === null)
    return { ...plain, name: "beside", label, value: say("readings.not-watched"), tone: "quiet" };
  const { seen, beside: count, missed = 0 } = traffic.wire;
  // a zero among frames that nobody looked at is said with them
  const detail =
    missed > 0
      ? say("readings.of-missed", { seen: say("readings.of", { count: seen }), count: missed })
      : say("readings.of", { count: seen });
  return { ...plain, name: "beside", label, value: count, detail, tone: count > 0 ? "bad" : "plain" };
}

function lasted(key: string, { status, now }: Facts): Reading {
  return { ...plain, name: "time", label: say(key), value: age(now - (status?.since ?? now)) };
}

/** A time of day while it is today's or last night's; then how long ago. */
function since(key: string, status: Status, now: number): Reading {
  const lasting = now - status.since;
  const value = lasting < 16 * 3_600_000 ? clock(status.since) : say("readings.ago", { time: age(lasting) });
  return { ...plain, name: "time", label: say(key), value };
}

function rates(traffic: Traffic | null): Reading {
  const label = say("readings.minute");
  if (traffic === null) return { ...plain, name: "rate", label, value: say("readings.none-yet"), tone: "quiet" };
  return {
    ...plain,
    name: "rate",
    label,
    value: say("readings.down", { rate: rate(traffic.rxPerSecond) }),
    detail: say("readings.up", { rate: rate(traffic.txPerSecond) }),
    graph: true,
  };
}

function proof({ status, now }: Facts): Reading {
  const label = say("readings.proof");
  const made = status?.proof ?? null;
  if (made === null) {
    return {
      ...plain,
      name: "proof",
      label,
      value: say("readings.no-proof"),
      detail: say("readings.read-back"),
      tone: "quiet",
    };
  }
  return {
    ...plain,
    name: "proof",
    label,
    value: say("readings.ago", { time: age(now - made.at) }),
    detail: say("readings.held", { held: made.held, count: made.properties }),
    tone: made.held < made.properties ? "bad" : "plain",
  };
}

function proofBefore(status: Status): Reading {
  const { proof: made } = status;
  const label = say("readings.plan-proven");
  if (made === null) return { ...plain, name: "proof", label, value: say("readings.no-proof"), tone: "quiet" };
  return { ...plain, name: "proof", label, value: ms(made.tookMs), detail: say("readings.before") };
}

function roundTrip({ status, nodes }: Facts): Reading {
  const state = status?.state;
  const id = state?.kind === "connecting" ? state.node.id : state?.kind === "switching" ? state.to.id : null;
  const median = nodes.find((node) => node.id === id)?.ping?.medianMs ?? null;
  const label = say("readings.trip");
  if (median === null) return { ...plain, name: "trip", label, value: say("readings.not-measured"), tone: "quiet" };
  return { ...plain, name: "trip", label, value: ms(median, 1) };
}

function heard(status: Status): Reading {
  const at = status.state.kind === "locked" ? status.state.lastHeard : null;
  const label = say("readings.heard");
  if (at === null) return { ...plain, name: "heard", label, value: say("readings.never"), tone: "quiet" };
  return { ...plain, name: "heard", label, value: clock(at, true) };
}

function uplink(status: Status): Reading {
  const first = status.uplinks[0];
  const label = say("readings.uplink");
  if (first === undefined) return { ...plain, name: "uplink", label, value: say("readings.no-uplink"), tone: "bad" };
  const more = status.uplinks.length > 1 ? say("readings.and-more", { count: status.uplinks.length - 1 }) : null;
  return { ...plain, name: "uplink", label, value: first.name, detail: first.addresses[0] ?? more };
}

function answering(nodes: readonly Node[]): Reading {
  const label = say("readings.nodes");
  const count = nodes.filter((node) => node.ping?.medianMs != null).length;
  const probed = nodes.some((node) => node.ping !== null);
  if (!probed) return { ...plain, name: "nodes", label, value: nodes.length, detail: say("readings.not-measured") };
  return { ...plain, name: "nodes", label, value: count, detail: say("readings.of-nodes", { count: nodes.length }) };
}

function killSwitch(policy: Policy | null): Reading {
  const value = say(policy?.killSwitch === "boot" ? "readings.switch-boot" : "readings.switch-connected");
  return { ...plain, name: "switch", label: say("readings.switch"), value, detail: null };
}
