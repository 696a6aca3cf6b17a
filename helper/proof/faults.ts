// What may go wrong while a plan is in force, each as a change of the machine. P8: P1 holds all the same.
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import type { Facts } from "../plan/facts.ts";
import { linkName } from "../plan/numbers.ts";
import { mainTable, type Link, type Machine, type Route } from "./machine.ts";

export interface Fault {
  readonly name: string;
  /** Which of the gate's tables are left: the gate alone may already be proof enough. */
  readonly gate: "whole" | "egress only" | "inet only";
  readonly change: (machine: Machine) => Machine;
}

export const none: Fault = { name: "none", gate: "whole", change: (machine) => machine };

/** A device nobody had heard of: born later, renamed, plugged in. */
export const bornLater = "new0";

export function faultsOf(facts: Facts): Fault[] {
  // a machine bears the name of its fault where routes come with it
  const bringing = new Set(faultRoutes(facts).map((route) => route.only));
  const named = (name: string, change: Fault["change"], gate: Fault["gate"] = "whole"): Fault => ({
    name,
    gate,
    change: (machine) => ({ ...change(machine), fault: bringing.has(name) ? name : null }),
  });
  const each = (what: string, change: (uplink: string) => Fault["change"]): Fault[] =>
    uplinksOf(facts).map((uplink) => named(`${what}: ${uplink}`, change(uplink)));
  return [
    named("engine dead", relink(linkName, { carrier: false })),
    named("adapter gone", without(linkName)),
    ...each("uplink gone", without),
    ...each("uplink changed", () => (machine) => machine),
    ...each("carrier lost", (uplink) => relink(uplink, { carrier: false })),
    named("new uplink with metric 0", (machine) => ({
      ...machine,
      links: new Map(machine.links).set(bornLater, link(bornLater)),
      addresses: [...machine.addresses, address("198.18.0.2", 24), address("2001:2::2", 64)],
    })),
    named("0/1 and 128/1 in main", (machine) => machine),
    named("rules flushed", (machine) => ({ ...machine, rules: machine.rules.filter((rule) => rule.priority === 0) })),
    named("lo down", relink(loopback(facts), { up: false })),
    named(
      "inet table flushed",
      (machine) => ({ ...machine, nft: machine.nft.filter((t) => t.family !== "inet") }),
      "egress only",
    ),
    named(
      "egress flushed",
      (machine) => ({ ...machine, nft: machine.nft.filter((t) => t.family !== "netdev") }),
      "inet only",
    ),
  ];
}

/** The routes that come with faults; each is there in its own fault only. */
export function faultRoutes(facts: Facts): Route[] {
  const halves = ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"] as Prefix[];
  const routes: Route[] = [];
  for (const uplink of uplinksOf(facts)) {
    for (const prefix of halves)
      routes.push(way("0/1 and 128/1 in main", prefix, uplink, someGateway(facts, prefix, uplink)));
    for (const [prefix, gateway] of strangers)
      routes.push({ ...way(`uplink changed: ${uplink}`, prefix, uplink, gateway), metric: 0 });
  }
  for (const [prefix, gateway] of strangers)
    routes.push({ ...way("new uplink with metric 0", prefix, bornLater, gateway), metric: 0 });
  return routes;
}

/** Devices that main's default routes use, or else every device that could be one. */
export function uplinksOf(facts: Facts): string[] {
  const real = facts.links.filter((l) => !l.loopback && l.up && l.name !== linkName).map((l) => l.name);
  const used = new Set(
    facts.routes
      .filter((r) => r.table === mainTable && r.prefix.endsWith("/0"))
      .flatMap((r) => r.legs.map((leg) => leg.dev)),
  );
  const found = real.filter((name) => used.has(name));
  return found.length > 0 ? found : real;
}

/** RFC 2544 and RFC 5180: networks for benchmarks, nobody's. */
const strangers = [
  ["0.0.0.0/0" as Prefix, "198.18.0.1" as Address],
  ["::/0" as Prefix, "fe80::18" as Address],
] as const;

function way(only: string, prefix: Prefix, dev: string, via: Address | null): Route {
  const family: Family = prefix.includes(":") ? 6 : 4;
  return {
    ...{
      family,
      table: mainTable,
      prefix,
      type: "unicast",
      metric: family === 4 ? 0 : 1024,
      protocol: 16,
      scope: 0,
      tos: 0,
    },
    ...{ from: null, src: null, nexthop: null, only },
    legs: [{ dev, via, onlink: false, weight: 1, linkdown: false, dead: false }],
  };
}

function someGateway(facts: Facts, prefix: Prefix, uplink: string): Address | null {
  const family = prefix.includes(":") ? 6 : 4;
  const legs = facts.routes.filter((r) => r.family === family && r.table === mainTable).flatMap((r) => r.legs);
  return legs.find((leg) => leg.dev === uplink && leg.via !== null)?.via ?? null;
}

function relink(name: string, change: Partial<Link>): Fault["change"] {
  return (machine) => {
    const old = machine.links.get(name);
    return old === undefined ? machine : { ...machine, links: new Map(machine.links).set(name, { ...old, ...change }) };
  };
}

function without(name: string): Fault["change"] {
  return (machine) => ({
    ...machine,
    links: new Map([...machine.links].filter(([n]) => n !== name)),
    addresses: machine.addresses.filter((a) => a.link !== name),
  });
}

const link = (name: string): Link => ({ name, up: true, carrier: true, loopback: false, tunnel: false });
const address = (text: string, length: number): Machine["addresses"][number] => ({
  ...{ link: bornLater, address: text as Address, length, scope: "global", deprecated: false, temporary: false },
});
const loopback = (facts: Facts): string => facts.links.find((l) => l.loopback)?.name ?? "lo";
