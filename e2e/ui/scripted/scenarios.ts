// The scenarios: where a world begins and how it answers. Addresses are the documentation ranges', places are invented.
import type { Node } from "../../../helper/contract/node.ts";
import { defaultPolicy, type Policy } from "../../../helper/contract/policy.ts";
import type { Address, Prefix } from "../../../helper/contract/prefix.ts";
import { grant, refuse, type Answer, type Refusal } from "../../../helper/contract/refusal.ts";
import type { State, Status, StepName, Uplink } from "../../../helper/contract/status.ts";

export interface Scenario {
  readonly nodes: readonly Node[];
  readonly state: State;
  readonly sinceMs: number;
  readonly policy?: Policy;
  readonly uplinks?: Uplink[];
  readonly ipv6: Status["ipv6"];
  /** null: the helper makes no proofs. */
  readonly proofAgeMs: number | null;
  readonly notices?: Status["notices"];
  readonly connectFails?: Refusal;
  /** Connecting stays at this step. */
  readonly stopAtStep?: number;
  readonly stepMs: number;
  readonly watched: boolean;
  readonly beside: number;
  readonly seenFrames: number;
  /** Frames that came too fast to be looked at. */
  readonly missed?: number;
  /** From where somebody works on this machine. */
  readonly session?: string;
  /** The same from the world: connecting would end it, unless policy welcomes him. */
  readonly caller?: { readonly from: Address; readonly port: number };
  /** What a rule may not ask for. */
  readonly cannot?: readonly (keyof Policy["rules"][number]["match"])[];
}

export const address = (text: string): Address => text as Address;
export const prefix = (text: string): Prefix => text as Prefix;

export const stepOrder: readonly StepName[] = ["gate-closed", "node-answers", "routes-laid", "read-back", "gate-opens"];

export const uplink: Uplink = {
  name: "enp3s0",
  addresses: [address("198.51.100.21")],
  gateways: [address("198.51.100.1")],
  lan: [prefix("198.51.100.0/26")],
};

const ownPolicy: Policy = {
  ...defaultPolicy,
  rules: [
    { id: "r1", name: "Telemetry", match: { destination: [prefix("203.0.113.128/28")] }, lane: "block" },
    {
      id: "r2",
      name: "Old printer net",
      match: { destination: [prefix("192.0.2.64/27"), prefix("192.0.2.96/27")] },
      lane: "block",
    },
    { id: "r3", name: "Work", match: { destination: [prefix("198.51.100.128/25")] }, lane: "tunnel" },
    { id: "r4", name: "Backup", match: { destination: [prefix("203.0.113.64/28")] }, lane: "direct" },
  ],
};

export interface NodeSeed {
  readonly name: string;
  readonly country: string | null;
  readonly at: readonly [number, number] | null;
  readonly ms: number | null;
  readonly jitter: number;
  readonly load: number | null;
  readonly favourite?: boolean;
  readonly ipv6?: boolean;
  readonly used?: number;
}

const seeds: readonly NodeSeed[] = [
  {
    name: "Harbourton",
    country: "XA",
    at: [52, 5],
    ms: 18.2,
    jitter: 0.9,
    load: 0.34,
    favourite: true,
    used: 4_000_000,
  },
  { name: "Lindal", country: "XB", at: [58, 22], ms: 21.4, jitter: 1.2, load: 0.22, favourite: true },
  { name: "Veskra", country: "XC", at: [50, 36], ms: 24.9, jitter: 0.8, load: 0.61 },
  { name: "Tarnholm", country: "XD", at: [64, 26], ms: 31, jitter: 11.8, load: 0.18 },
  { name: "Silverquay", country: "XE", at: [41, -4], ms: 44.3, jitter: 1.6, load: 0.88 },
  { name: "Port Amsel", country: "XF", at: [32, 44], ms: 58.7, jitter: 2.1, load: 0.4, favourite: true },
  { name: "Kestrel Bay", country: "XG", at: [43, -72], ms: 87.2, jitter: 3, load: 0.12, ipv6: false },
  { name: "Mirador", country: "XH", at: [-23, -46], ms: 142, jitter: 6.2, load: 0.27 },
  { name: "Sable Point", country: "XJ", at: [1, 104], ms: 171, jitter: 2.4, load: 0.45 },
  { name: "Ardenfell", country: "XK", at: [36, 138], ms: null, jitter: 0, load: null },
];

export function nodeFrom(seed: NodeSeed, index: number, at: number): Node {
  const letter = String.fromCharCode(65 + (index % 26));
  const wave = (i: number): number => Math.abs(Math.sin(i * 2.1 + index) + Math.sin(i * 0.7 + index * 3)) / 2;
  const samples = Array.from({ length: 40 }, (_, i) =>
    seed.ms === null || (seed.ipv6 === false && i === 33) ? null : seed.ms + wave(i) * seed.jitter * 1.6,
  );
  return {
    id: `${letter}${String(index).padStart(3, "0")}${"k".repeat(39)}=`,
    name: seed.name,
    city: seed.name,
    country: seed.country,
    latitude: seed.at?.[0] ?? null,
    longitude: seed.at?.[1] ?? null,
    endpoint: { host: `203.0.113.${String(10 + (index % 200))}`, port: 51820 },
    carries: { ipv4: true, ipv6: seed.ipv6 !== false },
    addresses: ["192.0.2.194/32", ...(seed.ipv6 === false ? [] : ["2001:db8:a::194/128"])],
    dns: [address("192.0.2.193")],
    allowedIps: [prefix("0.0.0.0/0"), ...(seed.ipv6 === false ? [] : [prefix("::/0")])],
    mtu: index % 3 === 0 ? 1420 : null,
    favourite: seed.favourite === true,
    lastUsed: seed.used === undefined ? null : at - seed.used,
    load: seed.load,
    ping: {
      samplesMs: samples,
      medianMs: seed.ms,
      jitterMs: seed.ms === null ? null : seed.jitter,
      lossRatio: seed.ms === null ? 1 : seed.ipv6 === false ? 0.025 : 0,
      at,
    },
  };
}

/** Just enough of a reader for the tests of the window: the helper's own is tested beside itself. */
export function nodeFromConf(name: string, text: string): Answer<Node> {
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const key = /^\s*([A-Za-z]+)\s*=/.exec(line)?.[1];
    if (key !== undefined && /^(Pre|Post)(Up|Down)$/i.test(key))
      return refuse("conf.command", { line: index + 1, text: key });
    if (key !== undefined && !known.has(key.toLowerCase()))
      return refuse("conf.unknown-key", { line: index + 1, text: key });
  }
  if (!/\[Interface\]/i.test(text)) return refuse("conf.no-interface", { line: 1, text: "[Interface]" });
  const key = /^\s*PublicKey\s*=\s*(\S{44})\s*$/im.exec(text)?.[1];
  const endpoint = /^\s*Endpoint\s*=\s*([^:\s]+):(\d+)\s*$/im.exec(text);
  if (key === undefined || endpoint === null) return refuse("conf.no-peer", { line: 1, text: "[Peer]" });
  const node = nodeFrom({ name, country: null, at: null, ms: null, jitter: 0, load: null }, 0, 0);
  return grant({
    ...node,
    id: key,
    city: null,
    ping: null,
    mtu: null,
    endpoint: { host: endpoint[1] ?? "", port: Number(endpoint[2]) },
  });
}

const known = new Set([
  "privatekey",
  "address",
  "dns",
  "mtu",
  "publickey",
  "presharedkey",
  "endpoint",
  "allowedips",
  "persistentkeepalive",
  "listenport",
]);

export const goodConf = `[Interface]
PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=
Address = 192.0.2.194/32, 2001:db8:a::194/128
DNS = 192.0.2.193

[Peer]
PublicKey = xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=
Endpoint = 203.0.113.52:51820
AllowedIPs = 0.0.0.0/0, ::/0
`;
export const badConf = goodConf.replace("Address =", "Adress =");

const allNodes = (at: number): readonly Node[] => seeds.map((seed, index) => nodeFrom(seed, index, at));
const refOf = (node: Node | undefined) => ({
  id: node?.id ?? "",
  name: node?.name ?? "",
  endpoint: `${node?.endpoint.host ?? ""}:51820`,
});

const base = {
  sinceMs: 4_320_000,
  ipv6: "carried",
  proofAgeMs: 12_000,
  stepMs: 150,
  watched: true,
  beside: 0,
  seenFrames: 2_418_332,
} as const satisfies Partial<Scenario>;

/** Every scenario by name; `at` is the world's beginning. */
export function scenarios(at: number): Record<string, Scenario> {
  const nodes = allNodes(at);
  const [first] = nodes;
  const off: Scenario = { ...base, nodes, state: { kind: "off" } };
  const on: Scenario = { ...off, policy: ownPolicy, state: { kind: "connected", node: refOf(first) } };
  const unreachable: Refusal = { code: "node.unreachable", data: { node: first?.id ?? "", waitedMs: 5000 } };
  return {
    off,
    empty: { ...off, nodes: [] },
    "no-uplink": { ...off, uplinks: [] },
    slow: { ...off, stepMs: 900 },
    connecting: { ...off, stopAtStep: 2, stepMs: 30 },
    connected: on,
    "first-policy": { ...on, policy: defaultPolicy },
    unproven: { ...on, proofAgeMs: null, watched: false, notices: ["engine.stand-in"], ipv6: "blocked" },
    old: { ...on, proofAgeMs: 900_000 },
    leaking: { ...on, beside: 3 },
    remote: { ...on, session: "198.51.100.7" },
    "from-afar": { ...off, caller: { from: address("192.0.2.77"), port: 22 } },
    "no-apps": { ...on, cannot: ["apps"] },
    missed: { ...on, missed: 12 },
    bypass: { ...on, notices: ["bypass.xdp"] },
    failing: { ...off, connectFails: unreachable },
    failed: { ...off, state: { kind: "failed", node: refOf(first), refusal: unreachable } },
    "failed-long": {
      ...off,
      state: {
        kind: "failed",
        node: refOf(first),
        refusal: {
          code: "plan.leaks",
          data: {
            property: "P1",
            packet:
              "udp from 2001:db8:85a3:8d3:1319:8a2e:370:7348 to 2001:db8:ffff:ffff:ffff:ffff:ffff:fffe port 53 by uid 1000, mark 0x0, out of enx00e04c680123",
            way: "Backup of everything to the office",
          },
        },
      },
    },
    one: { ...off, nodes: nodes.slice(0, 1) },
    switching: { ...on, stopAtStep: 2, stepMs: 30 },
    drift: { ...on, proofAgeMs: 200_000 },
    long: {
      ...on,
      nodes: longNodes(at),
      policy: longPolicy,
      uplinks: [longUplink],
      state: { kind: "connected", node: refOf(longNodes(at)[0]) },
    },
    many: { ...off, nodes: Array.from({ length: 240 }, (_, i) => manyNode(i, at)) },
  };
}

const longUplink: Uplink = {
  name: "enx00e04c680123",
  addresses: [address("2001:db8:85a3:8d3:1319:8a2e:370:7348"), address("198.51.100.121")],
  gateways: [address("fe80::1319:8a2e:370:7348")],
  lan: [prefix("198.51.100.0/26"), prefix("2001:db8:85a3:8d3::/64"), prefix("192.168.178.0/24")],
};

const longNames = [
  "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch",
  "The office on the second floor, by the window, behind the old printer",
  "node-7f3a2b.eu-central-1.customers.example.net",
];

function longNodes(at: number): readonly Node[] {
  return longNames.map((name, index) => ({
    ...nodeFrom({ ...(seeds[index] ?? { country: null, at: null, ms: null, jitter: 0, load: null }), name }, index, at),
    city: index === 2 ? "Taumatawhakatangihangakoauauotamateaturipukakapiki" : name,
    endpoint: { host: "2001:db8:85a3:8d3:1319:8a2e:370:7348", port: 51820 },
    addresses: ["2001:db8:ffff:ffff:ffff:ffff:ffff:fffe/128", "192.0.2.194/32"],
    dns: [address("2001:db8:ffff:ffff:ffff:ffff:ffff:1"), address("192.0.2.193")],
  }));
}

const longPolicy: Policy = {
  ...defaultPolicy,
  rules: Array.from({ length: 14 }, (_, i) => ({
    id: `long-${String(i)}`,
    name:
      i % 3 === 0
        ? "Rechtsschutzversicherungsgesellschaften"
        : `Everything the bookkeeping asks for, part ${String(i)}`,
    match: { destination: [prefix(`2001:db8:${String(i)}:ffff:ffff::/80`), prefix(`192.0.2.${String(i * 16)}/28`)] },
    lane: (["direct", "tunnel", "block", "direct"] as const)[i % 4] ?? "direct",
  })),
};

function manyNode(index: number, at: number): Node {
  const seed = seeds[index % seeds.length];
  if (seed === undefined) throw new Error("no seeds");
  return nodeFrom({ ...seed, name: `${seed.name} ${String(Math.floor(index / seeds.length) + 1)}` }, index, at);
}
