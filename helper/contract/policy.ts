// What the user wants. A policy is complete and ordered: the first rule that matches a packet names its lane, what no
// rule matches takes the lane of `mode`. Presets of the window are nothing but policies.
import { z } from "zod";

import { listIdSchema } from "./list.ts";
import { nameSchema } from "./name.ts";
import { addressSchema, prefixSchema } from "./prefix.ts";

const portRange = z
  .strictObject({ from: z.int().min(0).max(65535), to: z.int().min(0).max(65535) })
  .refine((r) => r.from <= r.to, { error: "port range is upside down" });

/** How a program is recognised. `path` is the executable's absolute path. */
export const appSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("executable"), path: z.string().startsWith("/").max(4096) }),
  z.strictObject({ kind: z.literal("desktop"), id: z.string().min(1).max(255) }),
  z.strictObject({ kind: z.literal("flatpak"), id: z.string().min(1).max(255) }),
  z.strictObject({ kind: z.literal("snap"), name: z.string().min(1).max(255) }),
  z.strictObject({ kind: z.literal("unit"), name: z.string().min(1).max(255) }),
]);

/** tunnel: through the node; direct: out of the uplink, in the open; block: refused. */
export const laneSchema = z.enum(["tunnel", "direct", "block"]);

/**
 * All given fields must match; an absent field matches everything. Lists inside a field are "any of". `destination`,
 * `lists` and `names` are one field: what goes to one of the prefixes, or to an address that one of the names was answered
 * with.
 */
export const matchSchema = z.strictObject({
  apps: z.array(appSchema).min(1).max(256).optional(),
  users: z.array(z.int().min(0).max(0xfffffffe)).min(1).max(64).optional(),
  source: z.array(prefixSchema).min(1).max(1024).optional(),
  destination: z.array(prefixSchema).min(1).max(1_000_000).optional(),
  lists: z.array(listIdSchema).min(1).max(16).optional(),
  names: z.array(nameSchema).min(1).max(10_000).optional(),
  protocol: z.enum(["tcp", "udp", "icmp"]).optional(),
  ports: z.array(portRange).min(1).max(64).optional(),
});

export const ruleSchema = z.strictObject({
  id: z.string().min(1).max(64),
  name: z.string().max(120),
  match: matchSchema,
  lane: laneSchema,
});

/** A service of this machine that callers on the outside address may reach while the tunnel is up (D1). */
export const welcomeSchema = z.strictObject({
  protocol: z.enum(["tcp", "udp"]),
  port: z.int().min(1).max(65535),
  from: z.array(prefixSchema).max(256),
});

/** Names of a domain and all below it are asked of these, by the lane of their addresses, and of nobody else. */
export const domainSchema = z.strictObject({ domain: nameSchema, servers: z.array(addressSchema).min(1).max(4) });

/** How the default is taken over (T2): an own table, a better metric in main, 0/1+128/1, 1/8+2/7+…+128/1. */
export const formSchema = z.enum(["table", "metric", "halves", "eighths"]);

export const policySchema = z.strictObject({
  mode: z.enum(["everything", "only"]),
  rules: z.array(ruleSchema).max(1024),
  /** approved: on-link prefixes that are public or oversized and that the user approved by hand (TunnelCrack). */
  lan: z.strictObject({ allow: z.boolean(), approved: z.array(prefixSchema).max(64) }),
  /** carry: IPv6 goes in the tunnel, or is blocked where the node has none; block: it is always blocked. */
  ipv6: z.enum(["carry", "block"]),
  /** servers: asked through the tunnel; empty means those the node names. */
  dns: z.strictObject({
    servers: z.array(addressSchema).max(8),
    domains: z.array(domainSchema).max(64).optional(),
  }),
  welcome: z.array(welcomeSchema).max(64),
  form: formSchema,
  /** boot: the gate is closed also before anything connects, from boot on. */
  killSwitch: z.enum(["connected", "boot"]),
});

export type App = z.infer<typeof appSchema>;
export type Lane = z.infer<typeof laneSchema>;
export type PortRange = z.infer<typeof portRange>;
export type PolicyMatch = z.infer<typeof matchSchema>;
export type PolicyRule = z.infer<typeof ruleSchema>;
export type Domain = z.infer<typeof domainSchema>;
export type Welcome = z.infer<typeof welcomeSchema>;
export type Form = z.infer<typeof formSchema>;
export type Policy = z.infer<typeof policySchema>;

/** What a fresh installation starts with: everything goes in the tunnel but the local network. */
export const defaultPolicy: Policy = {
  mode: "everything",
  rules: [],
  lan: { allow: true, approved: [] },
  ipv6: "carry",
  dns: { servers: [] },
  welcome: [],
  form: "table",
  killSwitch: "connected",
};
