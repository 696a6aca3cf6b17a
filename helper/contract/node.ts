// A node as the window and the command line see it. Secrets (private and preshared keys) stay in the helper and have no
// place in these types.
import { z } from "zod";

import { addressSchema, prefixSchema } from "./prefix.ts";

/** Round trips of the last minute, oldest first; null is a lost probe. */
export const pingSchema = z.strictObject({
  samplesMs: z.array(z.number().nullable()).max(60),
  medianMs: z.number().nullable(),
  jitterMs: z.number().nullable(),
  lossRatio: z.number().min(0).max(1),
  at: z.int(),
});

export const nodeSchema = z.strictObject({
  /** Base64 of the node's public key: a node is its key. */
  id: z.string().length(44),
  name: z.string().min(1).max(120),
  city: z.string().max(120).nullable(),
  /** ISO 3166-1 alpha-2; user-assigned codes (XA…XZ) are allowed. */
  country: z.string().length(2).nullable(),
  latitude: z.number().min(-90).max(90).nullable(),
  longitude: z.number().min(-180).max(180).nullable(),
  endpoint: z.strictObject({ host: z.string().min(1).max(253), port: z.int().min(1).max(65535) }),
  carries: z.strictObject({ ipv4: z.boolean(), ipv6: z.boolean() }),
  addresses: z.array(z.string().max(64)).max(32),
  dns: z.array(addressSchema).max(8),
  allowedIps: z.array(prefixSchema).max(1024),
  mtu: z.int().nullable(),
  favourite: z.boolean(),
  lastUsed: z.int().nullable(),
  /** 0…1 where the node tells it. */
  load: z.number().min(0).max(1).nullable(),
  ping: pingSchema.nullable(),
});

export type Ping = z.infer<typeof pingSchema>;
export type Node = z.infer<typeof nodeSchema>;
