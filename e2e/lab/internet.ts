// The lab's internet. In the middle an ISP's router; around it the user's home, a second way in (a phone's hotspot that
// can be plugged in later), web hosts, the authoritative name server, and WireGuard nodes in cities that do not exist.
//
//   laptop ┬ enp3s0 ─ [home] ─ router ─ [street] ─┐                ┌─ [harbourton] ─ harbourton (wireguard-go)
//          │            ├ printer                 ├─ isp ──────────┼─ [lindal] …
//          │            └ nas                     │  (resolver)    ├─ [web] web   ├─ [backup] backup
//          └ enp9s0 ─ [second] ─ hotspot ─[mobile]┘                └─ [authority] authority
import { edgeMachines, webMachines } from "./edges.ts";
import { ispMachine, nodeMachine } from "./far.ts";
import { keysOf } from "./keys.ts";
import { places } from "./places.ts";
import type { NodeSpec, PortSpec, Shape, Topology, WireSpec } from "./topology.ts";

type City = Omit<NodeSpec, "machine" | "port" | "inside4" | "inside6" | "publicKey" | "privateKey">;

/** Nearest first. Round trip and jitter are those of the node's own wire. */
const cities: readonly City[] = [
  city("Harbourton XA", "203.0.113.9", "2001:db8:41::9", [18.2, 0.9, 0, 0.34], [51.9, 4.5]),
  city("Lindal XB", "203.0.113.21", "2001:db8:42::21", [21.4, 1.2, 0, 0.22], [55.7, 12.6]),
  city("Veskra XC", "203.0.113.37", "2001:db8:43::37", [24.9, 0.8, 0, 0.61], [50.1, 14.4]),
  city("Tarnholm XD", "203.0.113.54", "2001:db8:44::54", [31, 4.8, 0, 0.18], [59.3, 18.1]),
  city("Silverquay XE", "203.0.113.78", "2001:db8:45::78", [44.3, 1.6, 0, 0.88], [41.0, 29.0]),
  city("Port Amsel XF", "203.0.113.105", "2001:db8:46::105", [58.7, 2.1, 0, 0.4], [25.3, 55.3]),
  city("Kestrel Bay XG", "203.0.113.120", null, [87.2, 3, 0.004, 0.12], [43.7, -79.4]),
];

export const nodes: readonly NodeSpec[] = cities.map((place, index) => {
  const machine = place.city.toLowerCase().replace(" ", "-");
  const inside6 = place.address6 === null ? null : `fd00:80:${index + 1}::1`;
  return { ...place, ...keysOf(machine), machine, port: 51820, inside4: `10.80.${index + 1}.1`, inside6 };
});

export function nodeIn(city: string): NodeSpec {
  const found = nodes.find((node) => node.city === city);
  if (found === undefined) throw new Error(`no node in ${city}`);
  return found;
}

/** `nodes`: which cities there are; a packet test needs two, the demo all. */
export function internet(options: { readonly cities?: readonly string[] } = {}): Topology {
  const chosen = options.cities === undefined ? nodes : options.cities.map(nodeIn);
  const machines = [...edgeMachines(), ispMachine(chosen), ...webMachines(chosen), ...chosen.map(nodeMachine)];
  const homePorts = [
    port("laptop", places.laptop.uplink, places.laptop.mac),
    port("router", "lan0", places.home.mac),
    port("printer", "eth0", "02:40:00:00:00:20"),
    port("nas", "eth0", "02:40:00:00:00:30"),
  ];
  const secondPorts = [
    { ...port("laptop", places.second.uplink, places.second.mac), plugged: false },
    port("hotspot", "lan0", places.hotspot.mac),
  ];
  const wires: readonly WireSpec[] = [
    { name: "home", shape: {}, ports: homePorts },
    { name: "second", shape: { delayMs: 1 }, ports: secondPorts },
    toIsp("street", "router", 1, { delayMs: 2 }),
    toIsp("mobile", "hotspot", 2, { delayMs: 12, jitterMs: 3 }),
    ...["web", "backup", "authority"].map((name, index) => toIsp(name, name, 3 + index, { delayMs: 1 })),
    ...chosen.map((node, index) => toIsp(node.machine, node.machine, 16 + index, wireOf(node))),
  ];
  return { machines, wires, nodes: chosen };
}

/** The shape of the wire between a node and the ISP: half of the round trip each way, the rest of the way counted off. */
function wireOf(node: NodeSpec): Shape {
  const elsewhereMs = 4;
  const delayMs = Math.max(0, (node.roundTripMs - elsewhereMs) / 2);
  return { delayMs, jitterMs: node.jitterMs / 2, loss: node.loss / 2 };
}

function toIsp(name: string, machine: string, number: number, shape: Shape): WireSpec {
  const last = number.toString(16).padStart(2, "0");
  const ports = [port(machine, "wan0", `02:50:00:00:${last}:02`), port("isp", `to-${name}`, `02:50:00:00:${last}:01`)];
  return { name, shape, ports };
}

const port = (machine: string, device: string, mac: string): PortSpec => ({ machine, device, mac, plugged: true });

function city(
  named: string,
  address4: string,
  address6: string | null,
  figures: [number, number, number, number],
  place: [number, number],
): City {
  const [roundTripMs, jitterMs, loss, load] = figures;
  const [latitude, longitude] = place;
  const space = named.lastIndexOf(" ");
  const where = { city: named.slice(0, space), country: named.slice(space + 1), latitude, longitude };
  return { ...where, address4, address6, roundTripMs, jitterMs, loss, load };
}
