// One honest state. A status is complete: whoever holds the newest one knows all that the window may say about now.
import { z } from "zod";

import { addressSchema, prefixSchema } from "./prefix.ts";
import { refusalSchema } from "./refusal.ts";

/** The five steps of connecting, in the order of the facts. */
export const stepNames = ["gate-closed", "node-answers", "routes-laid", "read-back", "gate-opens"] as const;
export const stepSchema = z.strictObject({
  name: z.enum(stepNames),
  state: z.enum(["waiting", "running", "done", "failed"]),
  /** How long it took, milliseconds; null until done. */
  tookMs: z.number().nullable(),
});

/** A proof is of one plan; `at` is when it was made. null in a status means: not proven, and nothing may claim it is. */
export const proofSchema = z.strictObject({
  at: z.int(),
  tookMs: z.number(),
  properties: z.int(),
  held: z.int(),
  classes: z.int(),
  states: z.int(),
});

/**
 * A foreign change of the machine that touches the plan. `author` is a program's name where the kernel tells it. What lets
 * packets out is mended at once; what only stands in the way is offered: `finding` is to be named in `repair`.
 */
export const driftSchema = z.strictObject({
  at: z.int(),
  what: z.string().max(400),
  author: z.string().max(200).nullable(),
  mended: z.boolean(),
  finding: z.string().max(80).optional(),
});

export const lockCauses = [
  "engine-died",
  "adapter-gone",
  "node-silent",
  "uplink-lost",
  "plan-broken",
  "helper-restarted",
  "fight",
] as const;

const nodeRef = z.strictObject({ id: z.string().length(44), name: z.string().max(120), endpoint: z.string().max(300) });
export const stateSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("off") }),
  z.strictObject({ kind: z.literal("connecting"), node: nodeRef, steps: z.array(stepSchema) }),
  z.strictObject({ kind: z.literal("connected"), node: nodeRef }),
  z.strictObject({ kind: z.literal("switching"), from: nodeRef, to: nodeRef, steps: z.array(stepSchema) }),
  z.strictObject({
    kind: z.literal("locked"),
    node: nodeRef,
    cause: z.enum(lockCauses),
    attempts: z.int(),
    lastHeard: z.int().nullable(),
    /** Who fights with us, where the kernel tells it. */
    by: z.string().max(200).optional(),
  }),
  /** Nothing was changed, or all of it was undone; the machine is as before. */
  z.strictObject({ kind: z.literal("failed"), node: nodeRef.nullable(), refusal: refusalSchema }),
]);

/** The way out as the machine has it now. */
export const uplinkSchema = z.strictObject({
  name: z.string().max(15),
  addresses: z.array(addressSchema),
  gateways: z.array(addressSchema),
  lan: z.array(prefixSchema),
});

export const statusSchema = z.strictObject({
  /** Counts up by one with each status of this helper's life. */
  seq: z.int(),
  /** Helper's version and its clock, Unix milliseconds, when this was made. */
  helper: z.strictObject({ version: z.string().max(40), at: z.int() }),
  state: stateSchema,
  /** When this state began, Unix milliseconds. */
  since: z.int(),
  host: z.string().max(255),
  uplinks: z.array(uplinkSchema),
  /** What goes direct by policy and is there now, in the words of the policy: LAN prefixes, rules by name. */
  direct: z.array(z.strictObject({ kind: z.enum(["lan", "rule"]), text: z.string().max(200) })),
  ipv6: z.enum(["carried", "blocked", "absent", "open"]),
  /** The addresses the node gave us, and as which the node's whoami saw us (null: it has none or was not asked yet). */
  inside: z.array(z.string().max(64)),
  seenAs: z.strictObject({ ipv4: addressSchema.nullable(), ipv6: addressSchema.nullable() }),
  dns: z.strictObject({ servers: z.array(addressSchema), by: z.enum(["resolved", "resolvconf", "file", "none"]) }),
  proof: proofSchema.nullable(),
  drift: z.array(driftSchema).max(20),
  /** Until when the policy of now must be confirmed, Unix milliseconds; absent: it need not be. */
  confirm: z.strictObject({ until: z.int() }).optional(),
  /** Notices that need no action: locks that this kernel cannot give, weaker mechanisms in use. Codes for app/words. */
  notices: z.array(
    z.enum([
      // nothing is connected, and the kill switch that holds from boot on keeps the machine closed
      "gate.at-rest",
      "gate.no-owner",
      "gate.no-device-prefix",
      "nft.old",
      "bypass.xdp",
      "bypass.clsact",
      "bypass.af-xdp",
      "engine.stand-in",
      "form.outranked",
    ]),
  ),
});

/** Once a second while connected; counters since the state began. */
export const trafficSchema = z.strictObject({
  at: z.int(),
  rxBytes: z.int(),
  txBytes: z.int(),
  rxPerSecond: z.number(),
  txPerSecond: z.number(),
  lastHandshake: z.int().nullable(),
  roundTripMs: z.number().nullable(),
  /** Frames the gate refused, by lock, and frames it let out beside the tunnel by policy. */
  refused: z.int(),
  direct: z.int(),
  /**
   * What the wire watch saw leave the uplinks since connecting: in all, and beside the tunnel without a rule that sends it
   * there. missed: frames that came faster than they could be looked at, if there were any. null: nothing is watched.
   */
  wire: z.strictObject({ seen: z.int(), beside: z.int(), missed: z.int().optional() }).nullable(),
});

export const leakNames = ["address-ipv4", "address-ipv6", "dns", "routes", "bound-socket", "raw-frames"] as const;
export const leakCheckSchema = z.strictObject({
  name: z.enum(leakNames),
  verdict: z.enum(["holds", "leaks", "not-checked"]),
  /** Evidence as a code with data for app/words, e.g. {code: "seen-as", data: {address: …}}. */
  evidence: z.strictObject({
    code: z.string().max(60),
    data: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  }),
  at: z.int(),
});

export type Step = z.infer<typeof stepSchema>;
export type StepName = (typeof stepNames)[number];
export type ProofSummary = z.infer<typeof proofSchema>;
export type Drift = z.infer<typeof driftSchema>;
export type LockCause = (typeof lockCauses)[number];
export type NodeRef = z.infer<typeof nodeRef>;
export type State = z.infer<typeof stateSchema>;
export type Uplink = z.infer<typeof uplinkSchema>;
export type Status = z.infer<typeof statusSchema>;
export type Traffic = z.infer<typeof trafficSchema>;
export type LeakCheck = z.infer<typeof leakCheckSchema>;
