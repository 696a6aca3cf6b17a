// What may leave the laptop's uplinks, said by the tests themselves and not taken from Culvert.
import type { Allowed } from "../lab/judge.ts";
import { places } from "../lab/places.ts";
import type { NodeSpec } from "../lab/topology.ts";

const { home, hotspot, second } = places;
const linkLocal = "fe80::/10";

/** On the wire to the home router, with nothing approved. */
export const offline: Allowed = {
  engine: [],
  onLink: [home.lan, home.lan6, home.prefix6, linkLocal],
  lan: [],
  routers: [{ mac: home.mac, addresses: [home.gateway, "fe80::1", "fd00:40::1"] }],
  direct: [],
  resolvers: [],
  welcome: [],
  inside: [],
};

/** As policy has it from the start: everything in the tunnel but the local network. */
export function connectedTo(node: NodeSpec, change: Partial<Allowed> = {}): Allowed {
  const addresses = [node.address4, node.address6].filter((a) => a !== null);
  return {
    ...offline,
    engine: addresses.map((address) => ({ address, port: node.port })),
    lan: [home.lan, home.lan6, linkLocal],
    inside: [node.inside4, node.inside6].filter((a) => a !== null).map((a) => a.replace(/1$/, "2")),
    ...change,
  };
}

/** The same on the second uplink: its own neighbours, nothing of the home's. */
export function onSecond(allowed: Allowed): Allowed {
  const onLink = ["10.41.0.0/24", hotspot.prefix6, linkLocal];
  const lan = allowed.lan.length === 0 ? [] : ["10.41.0.0/24", linkLocal];
  return { ...allowed, onLink, lan, routers: [{ mac: hotspot.mac, addresses: [second.gateway, "fe80::1"] }] };
}
