// What the prover and the lint say of a policy or of the machine, and what Culvert found on the machine that is not as it
// should be. Codes with data and lines of `ip` and `nft`; sentences are made by app/words and cli/words.
import { z } from "zod";

import { addressSchema } from "./prefix.ts";
import { proofSchema } from "./status.ts";

const line = z.string().max(600);
const data = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** A remark on a policy or its plan that refuses nothing; `data.rule` is the id of the rule it speaks of. */
export const noteSchema = z.strictObject({ code: z.string().max(60), data });

/** The smallest packet that breaks a plan. */
export const counterexampleSchema = z.strictObject({
  /** P1 to P11 */
  property: z.string().max(4),
  /** State of the tunnel, and what goes wrong in it ("none": nothing). */
  state: z.string().max(40),
  fault: z.string().max(200),
  /** One line; empty where it is not one packet that breaks the plan but an order of steps, or what taking down leaves. */
  packet: line,
  /** Where that packet goes; null as above. */
  to: z.strictObject({ destination: addressSchema, protocol: z.string().max(20), port: z.int().nullable() }).nullable(),
  /** Its way: one line each for rule, route, source and the nft lines that decide. */
  way: z.array(line).max(64),
  /** "left by eth0 via 192.0.2.1", "dropped at output" … */
  end: line.nullable(),
});

/** Lines of the plan, as `ip` and `nft` commands. `more`: how many of both are not listed. */
export const differenceSchema = z.strictObject({
  added: z.array(line).max(200),
  removed: z.array(line).max(200),
  more: z.int(),
});

/** Of a policy that is not applied. Both `proof` and `counterexample` null: there is no node to make a plan for. */
export const checkedSchema = z.strictObject({
  proof: proofSchema.nullable(),
  counterexample: counterexampleSchema.nullable(),
  /** What lint says of the rules themselves, then what is to be known of the plan on this machine. */
  lints: z.array(noteSchema).max(1000),
  notes: z.array(noteSchema).max(1000),
  /** Against the plan of the saved policy: what stands when connected. */
  difference: differenceSchema,
});

export const provenSchema = z.strictObject({
  /** stands: the plan that is in force. would: the plan that connecting would lay. */
  about: z.enum(["stands", "would"]),
  proof: proofSchema.nullable(),
  counterexample: counterexampleSchema.nullable(),
  /** Known ways past everything here, by their codes. */
  limits: z.array(z.string().max(60)).max(32),
});

/** Something on this machine that is not as it should be, and can be put right here. */
export const findingSchema = z.strictObject({
  /** To be named in `repair`; the same finding keeps it. */
  id: z.string().min(1).max(80),
  /** drift: somebody changed what is ours, or what ours stands on. stale: left behind by a program that is gone. */
  kind: z.enum(["drift", "stale"]),
  code: z.string().max(60),
  data,
  /** What is there, as commands that would have made it. */
  what: z.array(line).max(64),
  author: z.string().max(200).nullable(),
  /** What `repair` would do, as commands; empty: nothing that may be done for the user. */
  remedy: z.array(line).max(64),
});

export type Note = z.infer<typeof noteSchema>;
export type CounterexampleTold = z.infer<typeof counterexampleSchema>;
export type Difference = z.infer<typeof differenceSchema>;
export type Checked = z.infer<typeof checkedSchema>;
export type Proven = z.infer<typeof provenSchema>;
export type Finding = z.infer<typeof findingSchema>;
