// The requests whose plans are kept as golden text in golden/, by name; the net test feeds the same to `ip` and `nft`.
import type { Name } from "../contract/name.ts";
import type { Form, Policy, PolicyRule } from "../contract/policy.ts";
import type { Facts } from "../plan/facts.ts";
import type { Request } from "./ground.ts";
import {
  address,
  direct,
  dockerHost,
  dualStack,
  hostile,
  laptop,
  metricZero,
  node,
  nodeWithoutIpv6,
  otherNode,
  policy,
  prefix,
  request,
  twoUplinks,
} from "./sample-machines.ts";

const rules: readonly PolicyRule[] = [
  { id: "work", name: "work", match: { destination: [prefix("198.51.100.128/25")] }, lane: "tunnel" },
  direct("bank", "198.51.100.0/24", "2001:db8:5::/48"),
  {
    id: "ads",
    name: "ads",
    match: { destination: [prefix("192.0.2.0/24"), prefix("2001:db8:6::/48")] },
    lane: "block",
  },
];

/** Every selector, alone and together, in an order that matters. */
const selective: readonly PolicyRule[] = [
  { id: "mail", name: "mail", match: { protocol: "tcp", ports: [{ from: 25, to: 25 }] }, lane: "block" },
  { id: "printer", name: "printer", match: { destination: [prefix("192.168.1.50/32")] }, lane: "block" },
  {
    id: "curl",
    name: "curl",
    match: { apps: [{ kind: "executable", path: "/usr/bin/curl" }], destination: [prefix("198.51.100.128/25")] },
    lane: "tunnel",
  },
  {
    id: "games",
    name: "games",
    match: {
      ...{ users: [1000, 1001, 1004], protocol: "udp" },
      ports: [
        { from: 3478, to: 3480 },
        { from: 27_000, to: 65_535 },
      ],
    },
    lane: "direct",
  },
  {
    id: "browsers",
    name: "browsers",
    match: {
      apps: [
        { kind: "executable", path: "/usr/bin/curl" },
        { kind: "flatpak", id: "org.mozilla.firefox" },
      ],
    },
    lane: "direct",
  },
  {
    id: "containers",
    name: "containers",
    match: { source: [prefix("172.17.0.0/16"), prefix("fd17::/64")], destination: [prefix("192.0.2.0/24")] },
    lane: "direct",
  },
  { id: "ping", name: "ping", match: { protocol: "icmp" }, lane: "direct" },
];
const marking = (facts: Facts): Facts => ({
  ...facts,
  features: { ...facts.features, appMarks: "bpf", redirects: true },
});

/** Names by lane: a program around the tunnel, one blocked, one inside as everybody; asked at home and at the provider's. */
const byLane: readonly PolicyRule[] = [
  { id: "bank", name: "", match: { apps: [{ kind: "executable", path: "/usr/bin/bank" }] }, lane: "direct" },
  { id: "toy", name: "", match: { apps: [{ kind: "executable", path: "/usr/bin/toy" }] }, lane: "block" },
  { id: "work", name: "", match: { apps: [{ kind: "executable", path: "/usr/bin/work" }] }, lane: "tunnel" },
];
const told: Facts = {
  ...marking(dualStack),
  resolver: {
    ...dualStack.resolver,
    ownServers: [
      { link: "eth0", servers: [address("192.168.1.1"), address("203.0.113.53"), address("2001:db8:53::53")] },
    ],
  },
};

const inForm = (form: Form): Partial<Request> => ({ policy: policy({ form, rules: [...rules] }) });

/** The company's network and one program inside, everything else as if Culvert were not there. */
const onlyWork: Partial<Policy> = {
  mode: "only",
  rules: [
    direct("canteen", "10.1.2.0/24"),
    {
      id: "work",
      name: "work",
      match: { destination: [prefix("10.0.0.0/8"), prefix("2001:db8:6::/48")] },
      lane: "tunnel",
    },
    { id: "ads", name: "ads", match: { destination: [prefix("192.0.2.0/24")], protocol: "tcp" }, lane: "block" },
  ],
};
function only(part: Partial<Policy> = {}): Policy {
  const app = { id: "mail", name: "mail", lane: "tunnel" } as const;
  const mail: PolicyRule = { ...app, match: { apps: [{ kind: "snap", name: "thunderbird" }] } };
  return policy({ ...onlyWork, rules: [...(onlyWork.rules ?? []), mail], ...part });
}

/** Rules by name, and what two of the names were answered with: one address is shared, one is beside a written prefix. */
const byName: readonly PolicyRule[] = [
  { id: "bank", name: "Bank", match: { names: ["bank.example" as Name] }, lane: "direct" },
  {
    id: "ads",
    name: "Ads",
    match: { names: ["*.ads.example" as Name], ports: [{ from: 443, to: 443 }] },
    lane: "block",
  },
  {
    ...{ id: "work", name: "Work", lane: "tunnel" },
    match: { names: ["work.example" as Name], destination: [prefix("203.0.113.128/25")] },
  },
];
const asked: Facts = {
  ...dualStack,
  names: [
    { name: "www.bank.example", addresses: [address("198.51.100.7"), address("2001:db8:7::7")] },
    { name: "x.ads.example", addresses: [address("198.51.100.7"), address("198.51.100.8")] },
    { name: "work.example", addresses: [address("198.51.100.9")] },
  ],
};

export const samplePlans: Readonly<Record<string, Request>> = {
  "laptop-connected": request(laptop, "connected"),
  "dual-stack-connected": request(dualStack, "connected"),
  "dual-stack-connecting": request(dualStack, "connecting"),
  "dual-stack-locked": request(dualStack, "locked"),
  "dual-stack-switching": request(dualStack, "switching", { exit: otherNode, previous: node }),
  "dual-stack-off": request(dualStack, "off", { exit: null }),
  "dual-stack-off-from-boot": request(dualStack, "off", { exit: null, policy: policy({ killSwitch: "boot" }) }),
  "rules-off-from-boot": request(dualStack, "off", {
    ...{ exit: null, policy: policy({ killSwitch: "boot", rules: [...rules] }) },
  }),
  "node-without-ipv6": request(dualStack, "connected", { exit: nodeWithoutIpv6 }),
  "ipv6-blocked": request(dualStack, "connected", { policy: policy({ ipv6: "block" }) }),
  "lan-off": request(dualStack, "connected", { policy: policy({ lan: { allow: false, approved: [] } }) }),
  "rules-connected": request(dualStack, "connected", { policy: policy({ rules: [...rules] }) }),
  "rules-connecting": request(dualStack, "connecting", { policy: policy({ rules: [...rules] }) }),
  "rules-locked": request(dualStack, "locked", { policy: policy({ rules: [...rules] }) }),
  "hostile-network": request(hostile, "connected"),
  "hostile-network-approved": request(hostile, "connected", {
    policy: policy({ lan: { allow: true, approved: [prefix("128.0.0.0/1")] } }),
  }),
  "two-uplinks": request(twoUplinks, "connected"),
  "docker-host": request(dockerHost, "connected"),
  "docker-host-lan-off": request(dockerHost, "connected", { policy: policy({ lan: { allow: false, approved: [] } }) }),
  "welcomed-service": request(dualStack, "connected", {
    policy: policy({
      welcome: [
        { protocol: "tcp", port: 443, from: [] },
        { protocol: "tcp", port: 22, from: [prefix("192.0.2.0/24")] },
      ],
    }),
  }),
  "selectors-connected": request(marking(dualStack), "connected", { policy: policy({ rules: [...selective] }) }),
  "selectors-locked": request(marking(dualStack), "locked", { policy: policy({ rules: [...selective] }) }),
  "selectors-docker": request(marking(dockerHost), "connected", { policy: policy({ rules: [...selective] }) }),
  "only-connected": request(marking(dualStack), "connected", { policy: only() }),
  "only-connecting": request(marking(dualStack), "connecting", { policy: only() }),
  "only-locked": request(marking(dualStack), "locked", { policy: only() }),
  "only-off-from-boot": request(dualStack, "off", { exit: null, policy: policy({ ...onlyWork, killSwitch: "boot" }) }),
  "only-names": request(dualStack, "connected", {
    policy: policy({ ...onlyWork, dns: { servers: [address("10.1.0.53")] }, ipv6: "block" }),
  }),
  "only-docker": request(marking(dockerHost), "connected", {
    policy: only({ welcome: [{ protocol: "tcp", port: 22, from: [] }] }),
  }),
  "by-name-connected": request(asked, "connected", { policy: policy({ rules: [...byName] }) }),
  "by-name-locked": request(asked, "locked", { policy: policy({ rules: [...byName] }) }),
  "by-name-unasked": request(dualStack, "connected", { policy: policy({ rules: [...byName] }) }),
  "by-name-only": request(asked, "connected", { policy: policy({ mode: "only", rules: [...byName] }) }),
  "names-by-lane-connected": request(told, "connected", { policy: policy({ rules: [...byLane] }) }),
  "names-by-lane-locked": request(told, "locked", { policy: policy({ rules: [...byLane] }) }),
  "names-by-lane-named": request(told, "connected", {
    policy: policy({ rules: [...byLane], dns: { servers: [address("198.51.100.53")] } }),
  }),
  "names-by-lane-only": request(told, "connected", { policy: policy({ mode: "only", rules: [...byLane] }) }),
  "split-names": request(dualStack, "connected", {
    policy: policy({
      rules: [{ id: "corp", name: "", match: { destination: [prefix("198.51.100.0/24")] }, lane: "direct" }],
      dns: {
        servers: [],
        domains: [
          { domain: "corp.example" as Name, servers: [address("198.51.100.53")] },
          { domain: "home.example" as Name, servers: [address("192.168.1.1")] },
          { domain: "inside.example" as Name, servers: [address("10.64.0.9")] },
        ],
      },
    }),
  }),
  "metric-connected": request(dualStack, "connected", inForm("metric")),
  "metric-connecting": request(dualStack, "connecting", inForm("metric")),
  "metric-locked": request(dualStack, "locked", inForm("metric")),
  // dhclient and ifupdown lay the default with metric 0
  "metric-zero": request(metricZero, "connected", inForm("metric")),
  "metric-hostile": request(hostile, "connected", { policy: policy({ form: "metric" }) }),
  "metric-two-uplinks": request(twoUplinks, "connected", { policy: policy({ form: "metric" }) }),
  "halves-connected": request(dualStack, "connected", inForm("halves")),
  "halves-connecting": request(dualStack, "connecting", inForm("halves")),
  "halves-hostile": request(hostile, "connected", { policy: policy({ form: "halves" }) }),
  "halves-partial": request(laptop, "connected", {
    policy: policy({ form: "halves" }),
    exit: { ...node, allowedIps: [prefix("10.0.0.0/8")] },
  }),
  "eighths-connected": request(dualStack, "connected", inForm("eighths")),
  "eighths-locked": request(dualStack, "locked", inForm("eighths")),
  "eighths-hostile": request(hostile, "connected", { policy: policy({ form: "eighths" }) }),
  "eighths-lan-off": request(dualStack, "connected", {
    policy: policy({ form: "eighths", lan: { allow: false, approved: [] } }),
  }),
  "eighths-docker": request(dockerHost, "connected", { policy: policy({ form: "eighths" }) }),
};
