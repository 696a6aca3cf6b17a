// "Why does this go there": a question about one packet, and its answer twice, by the model that proofs are made with and by
// the kernel itself. Where the two differ, both stand in full and the difference is a finding.
import { z } from "zod";

import { appSchema, laneSchema } from "./policy.ts";
import { addressSchema } from "./prefix.ts";
import { noteSchema } from "./verdict.ts";

const line = z.string().max(600);
export const traceProtocols = ["tcp", "udp", "icmp"] as const;

/** What is left out is chosen by the kernel (source), or the commonest (root's or the program's user, TCP to port 443). */
export const questionSchema = z.strictObject({
  /** A name is asked of the resolver of now first. */
  to: z.string().min(1).max(253),
  protocol: z.enum(traceProtocols).optional(),
  port: z.int().min(0).max(65535).optional(),
  app: appSchema.optional(),
  user: z.int().min(0).max(0xfffffffe).optional(),
  /** Bound to this address of ours, or, with `incoming`, the sender's. */
  from: addressSchema.optional(),
  /** Bound to this device. */
  device: z.string().min(1).max(15).optional(),
  /** Comes in on this device and is forwarded. */
  incoming: z.string().min(1).max(15).optional(),
});

export const traceStepSchema = z.strictObject({
  /** rule: `ip rule`. route: in its table. source: the address chosen. line: an nft line that decides, or a chain's policy. */
  kind: z.enum(["rule", "route", "source", "line"]),
  text: line,
  /** false: not Culvert's own. */
  ours: z.boolean(),
  /** How often the kernel met this nft line; null where it is not counted. */
  packets: z.int().nullable(),
});

export const traceEndSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("left"), device: z.string().max(15), gateway: addressSchema.nullable() }),
  z.strictObject({ kind: z.literal("delivered") }),
  z.strictObject({ kind: z.literal("dropped"), at: z.string().max(60) }),
  z.strictObject({ kind: z.literal("refused"), errno: z.string().max(20) }),
]);

/** What the kernel says to RTM_GETROUTE; it does not know of nft. */
export const kernelAnswerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("route"),
    text: line,
    table: z.int(),
    device: z.string().max(15).nullable(),
    gateway: addressSchema.nullable(),
    source: addressSchema.nullable(),
  }),
  z.strictObject({ kind: z.literal("refused"), errno: z.string().max(20) }),
  /** protocol: it answers for tcp, udp and icmp only. reroute: nft routes the packet again. would: the plan is not applied. */
  z.strictObject({ kind: z.literal("not-asked"), why: z.enum(["protocol", "reroute", "would"]) }),
]);

export const explanationSchema = z.strictObject({
  /** stands: the machine as it is. would: as it would be with that policy or node. */
  about: z.enum(["stands", "would"]),
  /** How the name was asked: null when an address was given. Others of its addresses may go elsewhere. */
  name: z
    .strictObject({
      name: z.string().max(253),
      servers: z.array(addressSchema).max(32),
      by: z.enum(["resolved", "resolvconf", "file", "none"]),
      addresses: z.array(addressSchema).max(64),
    })
    .nullable(),
  destination: addressSchema,
  protocol: z.enum(traceProtocols),
  port: z.int().nullable(),
  /** What the policy wants. self: it is for this machine. open: nothing is asked of it while off. */
  lane: z.enum([...laneSchema.options, "lan", "engine", "self", "open"]),
  /** The user's own rule that says so; null: the mode does. `place` counts from 1. */
  rule: z.strictObject({ id: z.string().max(64), name: z.string().max(120), place: z.int() }).nullable(),
  /** The mark its socket carries, as nft prints it; null for none. */
  mark: z.string().max(12).nullable(),
  way: z.array(traceStepSchema).max(64),
  end: traceEndSchema,
  source: addressSchema.nullable(),
  /** Of the device it leaves by. */
  mtu: z.int().nullable(),
  /** Where it comes out: the node when it leaves by the tunnel. */
  exit: z
    .discriminatedUnion("kind", [
      z.strictObject({ kind: z.literal("node"), node: z.string().max(120), endpoint: z.string().max(300) }),
      z.strictObject({ kind: z.literal("uplink"), device: z.string().max(15) }),
    ])
    .nullable(),
  kernel: kernelAnswerSchema,
  /** null: the kernel could not be asked. */
  agrees: z.boolean().nullable(),
  /**
   * model.differs: kernel and model give different answers. lane.broken: it does not go where the policy says.
   * rule.foreign: a rule that is not ours decides. plan.changed: what stands is not what was laid.
   */
  findings: z.array(noteSchema).max(16),
});

export type TraceQuestion = z.infer<typeof questionSchema>;
export type TraceStep = z.infer<typeof traceStepSchema>;
export type TraceEnd = z.infer<typeof traceEndSchema>;
export type KernelAnswer = z.infer<typeof kernelAnswerSchema>;
export type Explanation = z.infer<typeof explanationSchema>;
