// What goes in: the adapter, and the own table that leads there. Under the tunnel's routes lies an unreachable default, so
// that routing alone fails closed. Who is sent to the table is takeover.ts's, and that of rules before it.
import { familyOf, lengthOf, parseInterfaceAddress, parsePrefix } from "../contract/prefix.ts";
import type { Family, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { Exit } from "../plan/exit.ts";
import { firstMetric, lastMetric, linkName, minMtu, overhead, tables, txQueueLen } from "../plan/numbers.ts";
import type { PlanLink, PlanRoute } from "../plan/plan.ts";
import type { Ground } from "./ground.ts";
import { prefixSet } from "./prefix-set.ts";
import type { OutsideLink, Way } from "./uplinks.ts";

export const anywhere: Readonly<Record<Family, Prefix>> = { 4: known("0.0.0.0/0"), 6: known("::/0") };

/** As the node says; else what the uplink leaves beside WireGuard's own headers, never less than IPv6 needs. */
export function mtuOf(exit: Exit | null, ways: readonly Way[], links: readonly OutsideLink[]): number {
  if (exit?.mtu != null) return exit.mtu;
  const family = exit === null ? 6 : familyOf(exit.endpoint.address);
  const dev = ways.find((way) => way.family === family)?.dev;
  const outer = links.find((link) => link.name === dev)?.mtu ?? 1500;
  return Math.max(minMtu, outer - overhead[family]);
}

export function linkOf(ground: Ground): PlanLink | null {
  if (!ground.adapter) return null;
  const addresses = [...ground.inside[4], ...(ground.carries[6] ? ground.inside[6] : [])];
  return { name: linkName, mtu: ground.mtu, txQueueLen, addresses: addresses.map(alone) };
}

export function tunnelRoutes(ground: Ground, family: Family): readonly PlanRoute[] {
  const stop = unreachable(family, tables.tunnel, anywhere[family]);
  if (!ground.open || !ground.carries[family]) return [stop];
  const carried = prefixSet(ground.exit?.allowedIps ?? [])[family];
  return [stop, ...carried.map((prefix) => intoTunnel(family, tables.tunnel, prefix))];
}

export function intoTunnel(family: Family, table: number, prefix: Prefix): PlanRoute {
  const to = { kind: "dev", dev: linkName, via: null, onlink: false, src: null } as const;
  return { family, table, prefix, metric: firstMetric, to };
}

export function unreachable(family: Family, table: number, prefix: Prefix): PlanRoute {
  return { family, table, prefix, metric: lastMetric, to: { kind: "unreachable" } };
}

/** The kernel tells a rule to everywhere without its `to`, and what is read back must compare equal. */
export function aimed(to: Prefix): { readonly to?: Prefix } {
  return lengthOf(to) === 0 ? {} : { to };
}

/** By a gateway or onto a link, as main has it. `onlink`: our rules must not be asked whether the gateway is there (E). */
export function outOf(way: Way, table: number, prefix: Prefix, metric: number): PlanRoute {
  const to = { kind: "dev", dev: way.dev, via: way.via, onlink: way.via !== null, src: null } as const;
  return { family: way.family, table, prefix, metric, to };
}

/** An interface address of full length: no on-link prefix comes with it. */
function alone(host: Prefix): InterfaceAddress {
  const address = parseInterfaceAddress(host);
  if (address === undefined) throw new Error(`not an address: ${host}`);
  return address;
}

function known(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
  return prefix;
}
