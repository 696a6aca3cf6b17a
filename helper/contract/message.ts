// Everything that crosses the helper's socket, both ways. Framing: one JSON value a line (UTF-8, "\n"), a line at most
// `maxLineBytes`. The caller's first line is `hello`; then requests, each answered once, in any order, by its id;
// events come in between after `subscribe`. What does not parse is refused and changes nothing.
import { z } from "zod";

import { appsSchema } from "./apps.ts";
import { listBadSchema, listBroughtSchema, listSchema, pieceBytes } from "./list.ts";
import { nodeSchema } from "./node.ts";
import { appSchema, policySchema } from "./policy.ts";
import { addressSchema } from "./prefix.ts";
import { refusalSchema } from "./refusal.ts";
import { leakCheckSchema, statusSchema, trafficSchema } from "./status.ts";
import { explanationSchema, questionSchema } from "./trace.ts";
import { checkedSchema, differenceSchema, findingSchema, provenSchema } from "./verdict.ts";

export const protocolVersion = 1;
/** A configuration file is at most 64 KiB; JSON may need six bytes for one of its. */
export const maxConfBytes = 64 * 1024;
export const maxLineBytes = 1024 * 1024;
export const socketPath = "/run/culvert/helper.sock";

/** A caller has a few uplinks of two families. */
export const maxCanaries = 32;
/** Canaries are UDP to the discard service (RFC 863): whoever gets one throws it away. */
export const canaryPort = 9;
const nonceSchema = z.string().regex(/^[0-9a-f]{32}$/);
const nodeId = z.string().length(44);
const none = z.strictObject({});
const request = <P extends z.ZodType, R extends z.ZodType>(params: P, result: R) => ({ params, result });

/** Name → what goes in, what comes back. */
export const requests = {
  /** First line on every connection. */
  hello: request(
    z.strictObject({ version: z.int(), client: z.string().max(60) }),
    z.strictObject({ version: z.int(), helper: z.string() }),
  ),
  status: request(none, statusSchema),
  /**
   * Answered when connected, or refused; progress comes as events. Connecting while connected is a switch. What would end a
   * session from afar is refused (policy.cuts-session) without `anyway`.
   */
  connect: request(z.strictObject({ node: nodeId, anyway: z.boolean().optional() }), statusSchema),
  disconnect: request(none, statusSchema),
  nodes: request(none, z.array(nodeSchema)),
  /** `text` is a WireGuard configuration file, longer than `maxConfBytes` is conf.too-big; `name`: what the user calls it. */
  import: request(z.strictObject({ text: z.string().max(maxLineBytes), name: z.string().min(1).max(120) }), nodeSchema),
  remove: request(z.strictObject({ node: nodeId }), none),
  rename: request(z.strictObject({ node: nodeId, name: z.string().min(1).max(120) }), nodeSchema),
  favourite: request(z.strictObject({ node: nodeId, favourite: z.boolean() }), nodeSchema),
  policy: request(none, policySchema),
  /**
   * Saved, and applied at once when connected. confirmWithin, seconds: unless `confirm` comes in that time, the policy of
   * before returns ("keep my way in"); until then the status says `confirm`. What would end a session from afar is refused
   * (policy.cuts-session) without confirmWithin or `anyway`.
   */
  setPolicy: request(
    z.strictObject({
      policy: policySchema,
      confirmWithin: z.int().min(5).max(3600).optional(),
      anyway: z.boolean().optional(),
    }),
    statusSchema,
  ),
  lists: request(none, z.array(listSchema)),
  /** A prefix list is brought piece by piece: begin, then add in order, then end. Nothing is kept until end says so. */
  listBegin: request(none, z.strictObject({ upload: z.int() })),
  listAdd: request(
    z.strictObject({ upload: z.int(), text: z.string().max(pieceBytes) }),
    z.strictObject({ lines: z.int(), read: z.int() }),
  ),
  listEnd: request(
    z.strictObject({ upload: z.int() }),
    z.union([z.strictObject({ done: listBroughtSchema }), z.strictObject({ bad: listBadSchema })]),
  ),
  /** The policy that was set to go back by itself stays. */
  confirm: request(none, statusSchema),
  /** What a policy would do, nothing applied. node null: that of now, or the one used last. */
  check: request(z.strictObject({ node: nodeId.nullable(), policy: policySchema }), checkedSchema),
  /** Of what stands; of another node, or while off: of what connecting would lay. */
  prove: request(z.strictObject({ node: nodeId.nullable() }), provenSchema),
  /** policy: as it would be with that one. node: as it would be with that one up. */
  explain: request(
    z.strictObject({ question: questionSchema, policy: policySchema.optional(), node: nodeId.optional() }),
    explanationSchema,
  ),
  findings: request(none, z.array(findingSchema)),
  /** id null: all that can be. Gives the commands it did, and what is left. */
  repair: request(
    z.strictObject({ id: z.string().min(1).max(80).nullable() }),
    z.strictObject({ done: z.array(z.string()), left: z.array(findingSchema) }),
  ),
  /** The plan for a node as `ip` and `nft` text, not applied. node null: that of now. policy null: the saved one. */
  plan: request(
    z.strictObject({ node: nodeId.nullable(), policy: policySchema.nullable() }),
    /** difference: to what stands; while off that is nothing. */
    z.strictObject({ text: z.string(), notes: z.array(z.string()), difference: differenceSchema.optional() }),
  ),
  apps: request(none, appsSchema),
  /** Closes what these programs opened before they were named, so that they open it anew; null: of all. */
  reopen: request(
    z.strictObject({ apps: z.array(appSchema).min(1).max(256).nullable() }),
    z.strictObject({ closed: z.int().min(0) }),
  ),
  /** canaries: what the caller sends meanwhile by sockets of its own, each known by its nonce; seen on an uplink it leaked. */
  leaks: request(
    z.strictObject({
      canaries: z
        .array(z.strictObject({ nonce: nonceSchema, to: addressSchema }))
        .max(maxCanaries)
        .optional(),
    }),
    z.array(leakCheckSchema),
  ),
  /** Takes everything down and undoes every change by the journal, whatever the state. */
  reset: request(none, z.strictObject({ undone: z.array(z.string()) })),
  /** Events to this connection from here on. */
  subscribe: request(none, statusSchema),
} as const;

export type RequestName = keyof typeof requests;
export type Params<N extends RequestName> = z.infer<(typeof requests)[N]["params"]>;
export type Result<N extends RequestName> = z.infer<(typeof requests)[N]["result"]>;

export const callSchema = z.strictObject({
  id: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  call: z.enum(Object.keys(requests) as [RequestName, ...RequestName[]]),
  params: z.unknown(),
});
export const replySchema = z.discriminatedUnion("ok", [
  z.strictObject({ id: z.int(), ok: z.literal(true), result: z.unknown() }),
  z.strictObject({ id: z.int().nullable(), ok: z.literal(false), refusal: refusalSchema }),
]);
export const eventSchema = z.discriminatedUnion("event", [
  z.strictObject({ event: z.literal("status"), data: statusSchema }),
  z.strictObject({ event: z.literal("traffic"), data: trafficSchema }),
  z.strictObject({ event: z.literal("nodes"), data: z.array(nodeSchema) }),
]);
export type Call = z.infer<typeof callSchema>;
export type Reply = z.infer<typeof replySchema>;
export type HelperEvent = z.infer<typeof eventSchema>;
