// What of a machine's links, routes and nexthop objects is there and can carry. Numbers at the lines are those of the kernel
// findings.
import type { Address, Family } from "../contract/prefix.ts";
import type { Link, Machine, Route } from "./machine.ts";

/** A link that can carry: it is there and up. Carrier is another matter (1.15). */
export function usableLink(machine: Machine, name: string): Link | undefined {
  const link = machine.links.get(name);
  return link?.up === true ? link : undefined;
}

export interface Leg {
  /** null: a blackhole nexthop */
  readonly dev: string | null;
  readonly via: Address | null;
}

/** The legs of a route that are alive. */
export function legsOf(machine: Machine, route: Route): Leg[] {
  if (route.nexthop !== null) return hopLegs(machine, route.nexthop, route.family);
  const ignoreLinkdown = (dev: string): boolean =>
    machine.sysctls[`net.ipv${route.family}.conf.${dev}.ignore_routes_with_linkdown`] === "1";
  // 1.15, 1.16: plain device routes survive a lost carrier and swallow what comes, but for the sysctl
  return route.legs.filter((leg) => {
    const link = usableLink(machine, leg.dev);
    return link !== undefined && !leg.dead && (link.carrier || !ignoreLinkdown(leg.dev));
  });
}

/** D, 1.31-1.33: nexthop objects vanish with their device, also when only its carrier is lost. */
function hopLegs(machine: Machine, id: number, family: Family): Leg[] {
  const hop = machine.nexthops.get(id);
  if (hop === undefined) return [];
  // 1.40, 1.41: a group goes on without a lost member
  if ("group" in hop) return hop.group.flatMap((member) => hopLegs(machine, member, family));
  // 1.34, 1.35: a blackhole nexthop survives lo going down
  if (hop.to.kind === "blackhole") return [{ dev: null, via: null }];
  const link = usableLink(machine, hop.to.dev);
  return link?.carrier === true ? [{ dev: hop.to.dev, via: hop.to.via }] : [];
}

export const present = (machine: Machine, route: Route): boolean =>
  (route.only === undefined || route.only === machine.fault) && (route.planned === undefined || machine.planned);

export function loopbackName(machine: Machine): string {
  for (const link of machine.links.values()) if (link.loopback) return link.name;
  return "lo";
}

export function loopbackUp(machine: Machine): boolean {
  for (const link of machine.links.values()) if (link.loopback) return link.up;
  return false;
}
