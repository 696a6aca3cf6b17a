// Machines as they read, for tests and golden plans: written as an operator would say them, in documentation addresses.
import type { Policy } from "../contract/policy.ts";
import { defaultPolicy } from "../contract/policy.ts";
import { familyOf, networkOf, parseAddress, parseInterfaceAddress, parsePrefix } from "../contract/prefix.ts";
import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { Exit } from "../plan/exit.ts";
import type { AddressFact, Facts, LinkFact, RouteFact } from "../plan/facts.ts";
import type { PlanState } from "../plan/plan.ts";
import type { Request } from "./ground.ts";

export interface LinkSpec {
  readonly name: string;
  readonly kind?: string;
  readonly type?: number;
  readonly mtu?: number;
  readonly carrier?: boolean;
  readonly master?: string;
  readonly addresses?: readonly string[];
  /** Gateways of default routes; the first address of a family gives the on-link route. */
  readonly gateways?: readonly string[];
  readonly metric?: number;
}

export function machine(links: readonly LinkSpec[], more: readonly RouteFact[] = [], ipv6 = true): Facts {
  const names = links.map((l) => l.name);
  return {
    links: [
      linkFact({ name: "lo", type: 772 }, 1, 0),
      ...links.map((l, i) => linkFact(l, i + 2, place(names, l.master))),
    ],
    addresses: links.flatMap((l) => (l.addresses ?? []).map((a) => addressFact(l.name, a))),
    routes: [...links.flatMap(routesOf), ...more],
    rules: [],
    nexthops: [],
    nftTables: [],
    sysctls: {},
    resolver: {
      resolvedRunning: true,
      resolvconf: "none",
      resolvConf: {
        path: "/etc/resolv.conf",
        target: "/run/systemd/resolve/stub-resolv.conf",
        servers: [address("127.0.0.53")],
        immutable: false,
      },
    },
    features: { ipv6, tun: true, nft: true, owner: true, devicePrefix: true, nexthops: true, appMarks: "none" },
    others: [],
    hostName: "laptop",
  };
}

/** A route that something else than the kernel put into main. */
export function pushed(text: string, dev: string, via: string | null, protocol: number, metric = 0): RouteFact {
  return route(prefix(text), dev, via === null ? null : address(via), protocol, metric);
}

export const laptop = machine(
  [{ name: "wlan0", addresses: ["192.168.1.23/24"], gateways: ["192.168.1.1"], metric: 600 }],
  [],
  false,
);

export const dualStack = machine([
  {
    name: "wlan0",
    addresses: ["192.168.1.23/24", "2001:db8:7:1:1a2b:3c4d:5e6f:7081/64", "fe80::1a2b:3c4d:5e6f:7081/64"],
    gateways: ["192.168.1.1", "fe80::1"],
    metric: 600,
  },
]);

/** As ifupdown and dhclient leave it. */
export const metricZero = machine([
  {
    name: "eth0",
    addresses: ["192.168.1.23/24", "2001:db8:7:1::23/64", "fe80::23/64"],
    gateways: ["192.168.1.1", "fe80::1"],
    metric: 0,
  },
]);

export const twoUplinks = machine([
  { name: "wlan0", addresses: ["192.168.1.23/24", "fe80::23/64"], gateways: ["192.168.1.1"], metric: 600 },
  {
    name: "eth0",
    addresses: ["192.0.2.40/24", "2001:db8:9::40/64", "fe80::40/64"],
    gateways: ["192.0.2.1", "fe80::ff"],
    metric: 100,
  },
]);

export const dockerHost = machine([
  { name: "eth0", addresses: ["192.168.1.23/24", "fe80::23/64"], gateways: ["192.168.1.1"], metric: 100 },
  { name: "docker0", kind: "bridge", addresses: ["172.17.0.1/16", "fe80::17/64"] },
  { name: "veth1", kind: "veth", master: "docker0" },
]);

/** The network claims half of the internet as its own, in every way a network can (TunnelVision, TunnelCrack). */
export const hostile = machine(
  [{ name: "wlan0", addresses: ["128.66.0.23/1", "fe80::23/64"], gateways: ["128.66.0.1"], metric: 600 }],
  [
    pushed("0.0.0.0/1", "wlan0", "128.66.0.1", 16),
    pushed("128.0.0.0/1", "wlan0", "128.66.0.1", 16),
    pushed("198.51.100.0/24", "wlan0", null, 16),
    pushed("2001:db8::/32", "wlan0", "fe80::1", 9),
  ],
);

export const node: Exit = {
  endpoint: { address: address("203.0.113.7"), port: 51820 },
  inside: [inside("10.64.0.2/24"), inside("fd00:64::2/64")],
  dns: [address("10.64.0.1")],
  allowedIps: [prefix("0.0.0.0/0"), prefix("::/0")],
  mtu: null,
};

export const nodeWithoutIpv6: Exit = { ...node, inside: [inside("10.64.0.2/24")], allowedIps: [prefix("0.0.0.0/0")] };

export const otherNode: Exit = { ...node, endpoint: { address: address("198.51.100.9"), port: 443 } };

export function policy(part: Partial<Policy> = {}): Policy {
  return { ...defaultPolicy, ...part };
}

export function direct(id: string, ...destination: readonly string[]): Policy["rules"][number] {
  return { id, name: id, match: { destination: destination.map(prefix) }, lane: "direct" };
}

export function request(facts: Facts, state: PlanState, part: Partial<Request> = {}): Request {
  return { policy: policy(), facts, exit: node, state, ...part };
}

export function address(text: string): Address {
  return parseAddress(text) ?? not(text);
}
export function prefix(text: string): Prefix {
  return parsePrefix(text) ?? not(text);
}
export function inside(text: string): InterfaceAddress {
  return parseInterfaceAddress(text) ?? not(text);
}

function not(text: string): never {
  throw new Error(`not an address: ${text}`);
}

function place(names: readonly string[], master: string | undefined): number {
  return master === undefined ? 0 : names.indexOf(master) + 2;
}

function linkFact(spec: LinkSpec, index: number, master: number): LinkFact {
  return {
    index,
    name: spec.name,
    kind: spec.kind ?? "",
    type: spec.type ?? 1,
    up: true,
    carrier: spec.carrier ?? true,
    loopback: spec.name === "lo",
    mtu: spec.mtu ?? 1500,
    mac: "02:00:00:00:00:01",
    master,
    xdp: false,
    clsact: false,
  };
}

function addressFact(link: string, text: string): AddressFact {
  const scope = text.startsWith("fe80") ? "link" : "global";
  const rest = { temporary: false, deprecated: false, tentative: false, dynamic: true };
  return { link, address: inside(text), scope, ...rest };
}

function routesOf(spec: LinkSpec): readonly RouteFact[] {
  const metric = spec.metric ?? 0;
  const onLink = (spec.addresses ?? []).map((a) =>
    route(networkOf(inside(a)), spec.name, null, 2, familyOf(inside(a)) === 6 ? 256 : metric),
  );
  const ways = (spec.gateways ?? []).map((gateway) => {
    const six = gateway.includes(":");
    return route(
      prefix(six ? "::/0" : "0.0.0.0/0"),
      spec.name,
      address(gateway),
      six ? 9 : 16,
      metric + (six ? 1024 : 0),
    );
  });
  return [...onLink, ...ways];
}

function route(to: Prefix, dev: string, via: Address | null, protocol: number, metric: number): RouteFact {
  return {
    family: familyOf(to),
    table: 254,
    prefix: to,
    type: "unicast",
    metric,
    protocol,
    scope: via === null ? 253 : 0,
    tos: 0,
    from: null,
    src: null,
    nexthop: null,
    legs: [{ dev, via, onlink: false, weight: 1, linkdown: false, dead: false }],
  };
}
