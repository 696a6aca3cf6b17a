// Random machines, policies and nodes for tests: what a network may claim and a user may wish, in any mixture.
import fc from "fast-check";

import { formSchema } from "../contract/policy.ts";
import type { App, Policy, PolicyMatch, PortRange } from "../contract/policy.ts";
import type { Address } from "../contract/prefix.ts";
import type { Facts, RouteFact } from "../plan/facts.ts";
import type { PlanState } from "../plan/plan.ts";
import type { Request } from "./ground.ts";
import {
  address,
  inside,
  machine,
  node,
  nodeWithoutIpv6,
  otherNode,
  policy,
  prefix,
  pushed,
} from "./sample-machines.ts";
import type { LinkSpec } from "./sample-machines.ts";

const own = ["192.168.1.23/24", "10.9.0.4/8", "172.17.0.1/16", "198.51.100.40/24", "128.66.0.23/1", "169.254.3.4/16"];
const own6 = ["2001:db8:7:1::23/64", "fd12:3456::9/64", "fd12::9/32", "2001:db8:9::1/128", "fe80::23/64"];
const gateways = ["192.168.1.1", "198.51.100.1", "fe80::1", "2001:db8:7:1::1"];
const destinations = [
  ...[
    "0.0.0.0/0",
    "0.0.0.0/1",
    "10.0.0.0/8",
    "192.168.1.0/24",
    "198.51.100.0/24",
    "198.51.100.128/25",
    "203.0.113.7/32",
  ],
  ...["::/0", "2001:db8::/32", "2001:db8:5::/48", "2001:db8:5:1::/64", "fe80::/10", "fd12:3456::/64"],
];
const servers = ["10.64.0.1", "192.168.1.1", "198.51.100.53", "2001:db8:5::53", "fd12:3456::53"];

const someOf = <T>(values: readonly T[], max = values.length) =>
  fc.uniqueArray(fc.constantFrom(...values), { maxLength: max });

const anyLink = fc.record({
  addresses: someOf([...own, ...own6], 4),
  gateways: someOf(gateways, 2),
  metric: fc.constantFrom(0, 100, 600),
  carrier: fc.boolean(),
  mtu: fc.constantFrom(576, 1280, 1492, 1500, 9000),
});

const kinds: readonly Pick<LinkSpec, "name" | "kind" | "type" | "master">[] = [
  { name: "eth0" },
  { name: "wlan0" },
  { name: "eth0.10" },
  { name: "docker0", kind: "bridge" },
  { name: "veth7", kind: "veth", master: "docker0" },
  { name: "tun9", kind: "tun", type: 65534 },
  { name: "odd*" },
];

const anyPushed: fc.Arbitrary<RouteFact> = fc
  .record({
    to: fc.constantFrom(...destinations),
    via: fc.constantFrom("192.168.1.1", null),
    protocol: fc.constantFrom(3, 4, 9, 16),
  })
  .map(({ to, via, protocol }) => pushed(to, "eth0", to.includes(":") && via !== null ? "fe80::66" : via, protocol));

export const anyFacts: fc.Arbitrary<Facts> = fc
  .record({
    links: fc.array(anyLink, { minLength: kinds.length, maxLength: kinds.length }),
    there: fc.array(fc.boolean(), { minLength: kinds.length, maxLength: kinds.length }),
    routes: fc.array(anyPushed, { maxLength: 4 }),
    ipv6: fc.boolean(),
    devicePrefix: fc.boolean(),
    appMarks: fc.constantFrom("bpf" as const, "bpf" as const, "none" as const),
    redirects: fc.boolean(),
    ownServers: fc.subarray(["192.168.1.1", "203.0.113.53", "2001:db8:53::53"] as string[] as Address[]),
  })
  .map(({ links, there, routes, ipv6, devicePrefix, appMarks, redirects, ownServers }) => {
    const kept = kinds.flatMap((kind, i) => {
      const spec = links[i];
      // a port without its bridge is none
      return spec === undefined || there[kind.master === undefined ? i : 3] !== true ? [] : [{ ...spec, ...kind }];
    });
    const names = kept.map((link) => link.name);
    const facts = machine(
      kept,
      routes.filter((r) => names.includes(r.legs[0]?.dev ?? "")),
      ipv6,
    );
    return {
      ...facts,
      features: { ...facts.features, devicePrefix, appMarks, redirects },
      resolver: { ...facts.resolver, ownServers: [{ link: null, servers: ownServers }] },
    };
  });

const sourcesOfRules = ["172.17.0.0/16", "192.168.1.0/24", "0.0.0.0/2", "10.0.0.0/8", "fd12:3456::/64", "::/0"];
const apps: readonly App[] = [
  { kind: "executable", path: "/usr/bin/curl" },
  { kind: "desktop", id: "org.mozilla.firefox" },
  { kind: "flatpak", id: "org.signal.Signal" },
];
const ranges: readonly PortRange[] = [
  { from: 53, to: 53 },
  { from: 443, to: 443 },
  { from: 1024, to: 65535 },
  { from: 0, to: 65535 },
];

/** Any mixture of selectors: half of the rules ask for addresses only, the others for anything at all. */
const anyMatch: fc.Arbitrary<PolicyMatch> = fc
  .record({
    destination: fc.uniqueArray(fc.constantFrom(...destinations.map(prefix)), { minLength: 1, maxLength: 4 }),
    source: fc.uniqueArray(fc.constantFrom(...sourcesOfRules.map(prefix)), { minLength: 1, maxLength: 2 }),
    users: fc.uniqueArray(fc.constantFrom(0, 1000, 1001, 65534), { minLength: 1, maxLength: 3 }),
    apps: fc.uniqueArray(fc.constantFrom(...apps), { minLength: 1, maxLength: 2, selector: (app) => app.kind }),
    protocol: fc.constantFrom("tcp" as const, "udp" as const, "icmp" as const),
    ports: fc.uniqueArray(fc.constantFrom(...ranges), { minLength: 1, maxLength: 2, selector: (range) => range.from }),
    kept: fc.nat(63),
    plain: fc.boolean(),
  })
  .map(({ kept, plain, ...all }) => {
    if (plain) return { destination: all.destination };
    const fields = Object.entries(all).filter((_, i) => (kept >> i) % 2 === 1);
    // ICMP has no ports: that is a contradiction, and refused
    const icmp = fields.some(([, value]) => value === "icmp");
    return Object.fromEntries(fields.filter(([field]) => !icmp || field !== "ports"));
  });

const anyRule = fc.record({
  id: fc.constantFrom("a", 'quote " and \\', "кавычка", "x".repeat(64)),
  name: fc.constant("rule"),
  match: anyMatch,
  lane: fc.constantFrom("tunnel" as const, "direct" as const, "block" as const),
});

export const anyPolicy: fc.Arbitrary<Policy> = fc
  .record({
    mode: fc.constantFrom("everything" as const, "everything" as const, "only" as const),
    rules: fc.array(anyRule, { maxLength: 4 }),
    lan: fc.record({
      allow: fc.boolean(),
      approved: someOf(["128.0.0.0/1", "198.51.100.0/24", "2001:db8::/32"].map(prefix)),
    }),
    ipv6: fc.constantFrom("carry" as const, "block" as const),
    dns: fc.record({ servers: someOf(servers.map(address), 2) }),
    welcome: fc.array(
      fc.record({
        protocol: fc.constantFrom("tcp" as const, "udp" as const),
        port: fc.constantFrom(22, 53, 65535),
        from: someOf(["0.0.0.0/0", "192.0.2.0/24", "2001:db8::/32"].map(prefix), 2),
      }),
      { maxLength: 2 },
    ),
    killSwitch: fc.constantFrom("connected" as const, "boot" as const),
    form: fc.constantFrom(...formSchema.options),
  })
  .map((part) => policy(part));

const anyExit = fc.constantFrom(
  node,
  nodeWithoutIpv6,
  otherNode,
  { ...node, allowedIps: [prefix("10.0.0.0/8"), prefix("2001:db8::/32")] },
  { ...node, endpoint: { address: address("2001:db8:ffff::7"), port: 53 }, mtu: 1200 },
  { ...node, inside: [inside("fd00:64::2/64")], dns: [] },
);

export const anyRequest: fc.Arbitrary<Request> = fc
  .record({
    policy: anyPolicy,
    facts: anyFacts,
    exit: anyExit,
    previous: anyExit,
    state: fc.constantFrom<PlanState>("off", "connecting", "connected", "switching", "locked"),
  })
  .map((r) => (r.state === "off" ? { ...r, exit: null } : r));
