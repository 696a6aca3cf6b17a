// Keys and configuration files of the lab. Keys follow from names, so that a lab opened twice is the same lab and a
// recorded fault can be looked at again; nothing of this is secret.
import { createHash } from "node:crypto";

import nacl from "tweetnacl";

import type { NodeSpec } from "./topology.ts";

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function keysOf(name: string): KeyPair {
  const secret = new Uint8Array(createHash("sha256").update(`culvert lab ${name}`).digest());
  // clamped as in RFC 7748, 5, so that tools that check do not complain
  secret[0] = (secret[0] ?? 0) & 248;
  secret[31] = ((secret[31] ?? 0) & 127) | 64;
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return { privateKey: base64(secret), publicKey: base64(nacl.scalarMult.base(secret)) };
}

/** Clients a node of the lab knows: 1 is the laptop, the others are for tests that need more of them. */
export const clients = [1, 2, 3, 4] as const;
export type Client = (typeof clients)[number];

export const clientKeys = (client: Client): KeyPair => keysOf(`client ${client}`);

/** 10.80.1.1 → 10.80.1.2 for client 1. */
export function insideOf(address: string, client: Client): string {
  return address.replace(/1$/, String(client + 1));
}

export interface ConfOptions {
  readonly client?: Client;
  /** Family of the endpoint's address. */
  readonly over?: 4 | 6;
  /** Endpoint by name instead of address. */
  readonly byName?: boolean;
  readonly mtu?: number;
}

/** The configuration file a provider would hand out for this node. */
export function confOf(node: NodeSpec, options: ConfOptions = {}): string {
  const client = options.client ?? 1;
  const inside = [node.inside4, node.inside6].filter((a) => a !== null);
  const addresses = inside.map((a) => `${insideOf(a, client)}/${a.includes(":") ? 128 : 32}`);
  const over6 = options.over === 6;
  if (over6 && node.address6 === null) throw new Error(`${node.city} has no IPv6`);
  const host = options.byName ? `${node.machine}.node.example` : over6 ? `[${node.address6}]` : node.address4;
  return [
    `# City = ${node.city}`,
    `# Country = ${node.country}`,
    `# Latitude = ${node.latitude}`,
    `# Longitude = ${node.longitude}`,
    "[Interface]",
    `PrivateKey = ${clientKeys(client).privateKey}`,
    `Address = ${addresses.join(", ")}`,
    `DNS = ${inside.join(", ")}`,
    ...(options.mtu === undefined ? [] : [`MTU = ${options.mtu}`]),
    "",
    "[Peer]",
    `PublicKey = ${node.publicKey}`,
    `AllowedIPs = 0.0.0.0/0${node.inside6 === null ? "" : ", ::/0"}`,
    `Endpoint = ${host}:${node.port}`,
    "",
  ].join("\n");
}

/** What `wg setconf` is fed on the node. */
export function nodeConf(node: NodeSpec): string {
  const peers = clients.map((client) => {
    const inside = [node.inside4, node.inside6].filter((a) => a !== null);
    const allowed = inside.map((a) => `${insideOf(a, client)}/${a.includes(":") ? 128 : 32}`);
    return `[Peer]\nPublicKey = ${clientKeys(client).publicKey}\nAllowedIPs = ${allowed.join(", ")}\n`;
  });
  return `[Interface]\nPrivateKey = ${node.privateKey}\nListenPort = ${node.port}\n${peers.join("")}`;
}
