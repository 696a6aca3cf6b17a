import type { App } from "../contract/policy.ts";
import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { Facts } from "../plan/facts.ts";
import { printOperation } from "../plan/print.ts";
import { printNft } from "../plan/print-nft.ts";
import { ruleFact, simulate } from "../plan/simulate.ts";
import { byAnother, fakeMachine, openFake } from "./fake.ts";
import { type CaseMachine, kernelCases, resolvConfOfCases } from "./kernel.cases.ts";

kernelCases("the kernel over a value", makeFake);

function makeFake(): CaseMachine {
  const machine = fakeMachine(factsOfCases(), resolvConfOfCases);
  return {
    open: () => openFake(machine),
    snapshot: () => {
      const { links, routes, rules, nexthops, sysctls } = machine.facts;
      return [
        ...links.map((l) => l.name),
        ...routes.map((r) => JSON.stringify(r)),
        ...rules.map((r) => `${r.priority}: ${JSON.stringify(r)}`),
        ...nexthops.map((n) => JSON.stringify(n)),
        ...Object.entries(sysctls).map(([key, value]) => `${key} = ${value}`),
        ...machine.tables.map((t) => printNft(t)),
        machine.names,
      ].join("\n");
    },
    addRule(priority) {
      const rule = ruleFact({ family: 4, priority, action: { kind: "lookup", table: 254 } });
      byAnother(machine, "rule", `ip rule add pref ${priority} lookup 254`, {
        ...machine.facts,
        rules: [...machine.facts.rules, rule],
      });
    },
    deleteRoute(table) {
      const route = machine.facts.routes.find((r) => r.table === table && r.type === "unicast");
      if (route === undefined) throw new Error("no such route");
      const del = { kind: "route.del", route } as const;
      byAnother(machine, "route", `${printOperation(del)} proto kernel`, simulate(machine.facts, [del]));
    },
    setSysctl(key, value) {
      machine.facts = simulate(machine.facts, [{ kind: "sysctl.set", key, value }]);
    },
    setNames(text) {
      machine.names = text;
    },
    names: () => machine.names,
    program: "/usr/bin/program",
    markOf: (path) => machine.apps?.marks[machine.apps.programs.find((p) => isPath(p.app, path))?.class ?? 0]?.[0] ?? 0,
    settled: async () => undefined,
    remove: () => undefined,
  };
}

function isPath(app: App, path: string): boolean {
  return app.kind === "executable" && app.path === path;
}

function factsOfCases(): Facts {
  const link = { carrier: true, mtu: 1500, mac: "", master: 0, xdp: false, clsact: false, up: true };
  const leg = { dev: "up0", via: "192.0.2.1" as Address, onlink: false, weight: 1, linkdown: false, dead: false };
  return {
    links: [
      { ...link, index: 1, name: "lo", kind: "", type: 772, loopback: true },
      { ...link, index: 2, name: "up0", kind: "veth", type: 1, loopback: false },
    ],
    addresses: [
      {
        ...{ link: "up0", address: "192.0.2.2/24" as InterfaceAddress, scope: "global" },
        ...{ temporary: false, deprecated: false, tentative: false, dynamic: false },
      },
    ],
    routes: [
      {
        ...{ family: 4, table: 254, prefix: "0.0.0.0/0" as Prefix, type: "unicast", metric: 0, protocol: 3, scope: 0 },
        ...{ tos: 0, from: null, src: null, nexthop: null, legs: [leg] },
      },
    ],
    rules: [],
    nexthops: [],
    nftTables: [],
    sysctls: { "net.ipv4.conf.up0.arp_announce": "0", "net.ipv4.conf.all.accept_redirects": "1" },
    resolver: {
      resolvedRunning: false,
      resolvconf: "none",
      resolvConf: { path: "/etc/resolv.conf", target: null, servers: ["192.0.2.1" as Address], immutable: false },
    },
    features: { ipv6: true, tun: true, nft: true, owner: true, devicePrefix: true, nexthops: true, appMarks: "bpf" },
    others: [],
    hostName: "case",
  };
}
