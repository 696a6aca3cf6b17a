// What may leave an uplink, for the watch of the wire: said by the policy, the links and the plan's routes, never by the
// gate, for the gate is what is watched. First come the link's own needs and the LAN, then the rules in their order.
import type { Policy, PolicyRule } from "../contract/policy.ts";
import { type Address, addressOf, covers, hostPrefix, lengthOf, type Prefix } from "../contract/prefix.ts";
import type { WireAllowed, WireLane, WireRules } from "../kernel/native.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { linkName, tables } from "../plan/numbers.ts";
import { bindNames, namedServers } from "../plan/names.ts";
import type { Plan } from "../plan/plan.ts";
import { type OutsideLink, outsideLinksOf } from "../policy/uplinks.ts";

export interface Leaving {
  readonly links: WireRules["links"];
  readonly allowed: WireAllowed;
}

/** IANA's protocol number, and the destination port. */
export interface Sent {
  readonly protocol: number;
  readonly port: number;
}

export function mayLeave(plan: Plan, exit: Exit, wish: Policy, facts: Facts): Leaving {
  const policy = bindNames(wish, facts);
  const links = outsideLinksOf(facts).filter((link) => !link.inner);
  const lan = plan.routes.flatMap(({ table, prefix, to }) =>
    table === tables.lan && to.kind === "dev" && to.dev !== linkName ? [{ link: to.dev, prefix }] : [],
  );
  const allowed: WireAllowed = {
    endpoints: endpointsOf(plan, exit),
    inside: exit.inside.map((inside) => addressOf(inside)),
    near: [...links.flatMap((link) => nearOf(facts, link)), ...lan],
    lan,
    lanes: lanesOf(plan, policy),
    resolvers: namedServers(policy),
    asked: askedOf(plan),
    answers: policy.welcome.map((w) => ({ protocol: numberOf[w.protocol], port: w.port, to: w.from })),
  };
  return { links: devicesOf(links), allowed };
}

/** Whom our resolver asks for programs of the direct lane; not before the lane opens. */
function askedOf({ routes, state }: Plan): NonNullable<WireAllowed["asked"]> {
  if (state === "connecting") return [];
  return [...new Set(routes.flatMap((r) => (r.table === tables.names ? [addressOf(r.prefix)] : [])))];
}

/** What the watch looks at, whatever the plan is. */
export function watchedLinks(facts: Facts): WireRules["links"] {
  return devicesOf(outsideLinksOf(facts).filter((link) => !link.inner));
}

/** Where policy itself may send such a packet of no program's by an uplink: seeing it there would prove nothing. */
export function goesDirect({ lan, lanes, endpoints }: WireAllowed, to: Address, sent: Sent): boolean {
  if (endpoints.some((e) => e.address === to)) return true;
  if (lan.some(({ prefix }) => covers(prefix, to))) return true;
  const lane = lanes.find(
    (l) =>
      !l.marked &&
      (l.protocol ?? sent.protocol) === sent.protocol &&
      (l.ports?.some(([first, last]) => first <= sent.port && sent.port <= last) ?? true) &&
      (l.to?.some((prefix) => covers(prefix, to)) ?? true),
  );
  return lane?.direct ?? false;
}

/** IANA */
const numberOf = { icmp: 1, tcp: 6, udp: 17 } as const;
const everywhere6 = "::/0" as string as Prefix;
const everywhere4 = "0.0.0.0/0" as string as Prefix;

/** Frames of a bridge or bond pass its ports; those of a port alone pass nothing else. */
function devicesOf(links: readonly OutsideLink[]): WireRules["links"] {
  return links.flatMap((link) => {
    const ports = link.devices.filter((device) => device !== link.name);
    return (ports.length > 0 ? ports : [link.name]).map((device) => ({ device, link: link.name }));
  });
}

/** While one node is left for another both are spoken to; the port of the one that is not ours to know is any. */
function endpointsOf(plan: Plan, exit: Exit): WireAllowed["endpoints"] {
  const hosts = plan.routes.filter((r) => r.table === tables.engine && r.to.kind === "dev");
  const addresses = [...new Set(hosts.map((r) => addressOf(r.prefix)))];
  return addresses.map((address) => ({
    address,
    port: address === exit.endpoint.address ? exit.endpoint.port : null,
  }));
}

/** Where a default route or more has no gateway, the whole world is a neighbour. */
function nearOf(facts: Facts, link: OutsideLink): WireAllowed["near"] {
  const world = facts.routes.some(
    (r) =>
      r.type === "unicast" &&
      lengthOf(r.prefix) === 0 &&
      r.legs.some((leg) => leg.dev === link.name && leg.via === null),
  );
  const prefixes = [
    ...link.onLink,
    ...link.gateways.map(hostPrefix),
    ...link.addresses.map(hostPrefix),
    ...(world ? [everywhere4, everywhere6] : []),
  ];
  return [...new Set(prefixes)].map((prefix) => ({ link: link.name, prefix }));
}

/**
 * What a wire does not show (whose socket it was, but for the one bit that a program's mark is on; who forwarded it) is
 * left to the locks: a direct rule that asks for it may let a packet out, one for another lane holds none back.
 */
function lanesOf(plan: Plan, policy: Policy): readonly WireLane[] {
  const any: Omit<WireLane, "direct"> = { to: null, protocol: null, ports: null, marked: false };
  // the direct lane opens with the first connection, not before
  const open = plan.state !== "connecting";
  const blocked = policy.ipv6 === "block" ? [{ ...any, direct: false, to: [everywhere6] }] : [];
  const rules = policy.rules
    .filter(({ lane, match: { apps, users, source } }) => lane === "direct" || (apps ?? users ?? source) === undefined)
    .map((rule): WireLane => ({ ...laneOf(rule), direct: open && rule.lane === "direct" }));
  return [...blocked, ...rules, ...(policy.mode === "only" ? [{ ...any, direct: open }] : [])];
}

function laneOf({ match }: PolicyRule): Omit<WireLane, "direct"> {
  return {
    to: match.destination ?? null,
    protocol: match.protocol === undefined ? null : numberOf[match.protocol],
    ports: match.ports?.map((range) => [range.from, range.to] as const) ?? null,
    marked: match.apps !== undefined,
  };
}
