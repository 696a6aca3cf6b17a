// Status → what may be claimed about now. "Proven" needs a proof that is newer than every foreign change not yet mended
// and not older than `proofFreshMs`; "protected" needs the helper's own word that it is connected, and falls with the first
// packet that the wire watch saw beside the tunnel; without a link to the helper nothing is claimed at all.
import type { Status, Traffic } from "../../helper/contract/status.ts";
import type { HelperLink } from "../../preload/bridge.ts";

export type Situation =
  | "reading" // main or helper has not answered yet
  | "unheard" // the helper was there and is not any more
  | "off"
  | "connecting"
  | "proven"
  | "protected" // connected and read back, but without a proof
  | "stale" // connected, and the proof is older than what it should prove
  | "leaking" // connected, and packets were seen beside the tunnel
  | "switching"
  | "locked"
  | "failed";

export type LampState = "off" | "connecting" | "protected" | "unproven" | "stale" | "locked" | "leaking" | "unknown";

/** A proof is of a plan, and the plan changes only by what the helper sees; the limit guards against a helper that stopped looking. */
export const proofFreshMs = 10 * 60_000;

export interface Known {
  readonly link: HelperLink | null;
  readonly status: Status | null;
  readonly traffic: Traffic | null;
  readonly now: number;
}

export function situationOf({ link, status, traffic, now }: Known): Situation {
  if (link === null) return "reading";
  if (link.kind !== "linked") return "unheard";
  if (status === null) return "reading";
  const { state } = status;
  switch (state.kind) {
    case "connected":
      return (traffic?.wire?.beside ?? 0) > 0 ? "leaking" : claim(status, now);
    case "off":
    case "connecting":
    case "switching":
    case "locked":
    case "failed":
      return state.kind;
  }
}

/** Off, and nothing to connect over: what is asked for would be refused. */
export function hasNoUplink(status: Status | null): boolean {
  return status?.uplinks.length === 0 && (status.state.kind === "off" || status.state.kind === "failed");
}

export function lampOf(situation: Situation): LampState {
  switch (situation) {
    case "proven":
      return "protected";
    case "protected":
      return "unproven";
    case "switching":
      return "connecting";
    case "failed":
    case "off":
      return "off";
    case "reading":
    case "unheard":
      return "unknown";
    case "connecting":
    case "stale":
    case "locked":
    case "leaking":
      return situation;
  }
}

export function proofIsFresh(status: Status, now: number): boolean {
  const { proof } = status;
  if (proof === null || proof.held < proof.properties) return false;
  const broken = status.drift.some((drift) => !drift.mended && drift.at > proof.at);
  return !broken && now - proof.at <= proofFreshMs;
}

function claim(status: Status, now: number): Situation {
  if (status.proof === null) return "protected";
  return proofIsFresh(status, now) ? "proven" : "stale";
}
