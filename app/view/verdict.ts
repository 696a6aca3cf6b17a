// What the prover says of a draft, in sentences: that it holds and how that was looked at, or the packet that breaks it.
import { sessionCode } from "../../helper/contract/note-codes.ts";
import type { Checked, CounterexampleTold } from "../../helper/contract/verdict.ts";
import { ms, say, type Say } from "./say.ts";

/** The properties that have a sentence of their own; helper/README.md numbers them. */
export const properties = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11"] as const;

export interface Holds {
  readonly sizes: Say;
  readonly proof: Say;
}

export function sayProof(proof: NonNullable<Checked["proof"]>): Holds {
  return {
    sizes: say("lanes.verdict.sizes", {
      kinds: say("words.kinds", { count: proof.classes }),
      time: ms(proof.tookMs, proof.tookMs < 10 ? 1 : 0),
    }),
    proof: say("lanes.verdict.proof", {
      held: proof.held,
      count: proof.properties,
      states: say("lanes.verdict.states", { count: proof.states }),
    }),
  };
}

export function sayBroken(broken: CounterexampleTold): Say {
  const { property, packet, to } = broken;
  // taking down breaks no single packet, and then there is none to show
  const data = { property, packet: packet === "" ? "–" : packet, to: to?.destination ?? packet };
  if (property === "P3" && to === null) return say("broken.P1", data);
  return say(properties.some((one) => one === property) ? `broken.${property}` : "broken.other", data);
}

/** Whether the helper would take the draft: a plan that breaks is refused, one that cannot be made yet is not. */
export const mayBeSaved = (checked: Checked): boolean => checked.counterexample === null;

/** Somebody works on this machine from afar, over a connection that the draft would end. */
export const cutsTheWayIn = ({ lints, notes }: Checked): boolean =>
  [...lints, ...notes].some((note) => note.code === sessionCode);
