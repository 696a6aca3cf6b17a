// Values for the tests of the views: one machine, one node, a status that tests change.
import type { Node } from "../../helper/contract/node.ts";
import { defaultPolicy, type Policy } from "../../helper/contract/policy.ts";
import type { Address, Prefix } from "../../helper/contract/prefix.ts";
import type { State, Status, Traffic } from "../../helper/contract/status.ts";
import type { Facts } from "./connect.ts";

export const now = 1_763_720_000_000;
const address = (text: string): Address => text as Address;
const prefix = (text: string): Prefix => text as Prefix;

export function node(name: string, change: Partial<Node> = {}): Node {
  return {
    id: `${name.toLowerCase().padEnd(43, "k")}=`,
    name,
    city: null,
    country: "XA",
    latitude: null,
    longitude: null,
    endpoint: { host: "203.0.113.10", port: 51820 },
    carries: { ipv4: true, ipv6: true },
    addresses: ["192.0.2.194/32"],
    dns: [],
    allowedIps: [prefix("0.0.0.0/0"), prefix("::/0")],
    mtu: null,
    favourite: false,
    lastUsed: null,
    load: null,
    ping: null,
    ...change,
  };
}

export const ping = (medianMs: number | null, jitterMs = 1): Node["ping"] => ({
  samplesMs: Array.from({ length: 5 }, () => medianMs),
  medianMs,
  jitterMs: medianMs === null ? null : jitterMs,
  lossRatio: medianMs === null ? 1 : 0,
  at: now,
});

export const harbourton = node("Harbourton");
export const ref = { id: harbourton.id, name: harbourton.name, endpoint: "203.0.113.10:51820" };
export const proof = { at: now - 12_000, tookMs: 41, properties: 11, held: 11, classes: 214, states: 7 };

export function status(state: State, change: Partial<Status> = {}): Status {
  return {
    seq: 1,
    helper: { version: "0.1.0", at: now },
    state,
    since: now - 60_000,
    host: "atlas",
    uplinks: [
      {
        name: "enp3s0",
        addresses: [address("198.51.100.21")],
        gateways: [address("198.51.100.1")],
        lan: [prefix("198.51.100.0/26")],
      },
    ],
    direct: [],
    ipv6: "carried",
    inside: ["192.0.2.194/32"],
    seenAs: { ipv4: address("203.0.113.9"), ipv6: null },
    dns: { servers: [], by: "none" },
    proof: null,
    drift: [],
    notices: [],
    ...change,
  };
}

export const policy: Policy = defaultPolicy;

export const rule = (
  id: string,
  lane: Policy["rules"][number]["lane"],
  to = "203.0.113.0/28",
): Policy["rules"][number] => ({
  id,
  name: id,
  match: { destination: [prefix(to)] },
  lane,
});

export function traffic(change: Partial<Traffic> = {}): Traffic {
  return {
    at: now,
    rxBytes: 0,
    txBytes: 0,
    rxPerSecond: 2_300_000,
    txPerSecond: 260_000,
    lastHandshake: null,
    roundTripMs: null,
    refused: 41,
    direct: 0,
    wire: { seen: 1000, beside: 0 },
    ...change,
  };
}

export function facts(change: Partial<Facts> = {}): Facts {
  return {
    link: { kind: "linked", version: "0.1.0" },
    status: status({ kind: "connected", node: ref }),
    nodes: [harbourton],
    policy,
    traffic: null,
    chosen: null,
    away: new Set(),
    now,
    ...change,
  };
}
