// The far half of the lab's internet: the ISP's router with its resolver, and the WireGuard nodes.
import { insideOf, nodeConf } from "./keys.ts";
import { places } from "./places.ts";
import type { MachineSpec, NodeSpec } from "./topology.ts";

/** Towards a host behind the ISP's device `to-NAME`: link-local ends fe80::1 (ISP) and fe80::2. */
export const behindIsp = (name: string, ipv4: readonly string[], ipv6: readonly string[]): readonly string[] => [
  `ip link set to-${name} up`,
  `ip -6 addr add fe80::1/64 dev to-${name} nodad`,
  ...ipv4.map((address) => `ip route add ${address}/32 dev to-${name} src ${places.isp.ipv4}`),
  ...ipv6.map((prefix) => `ip -6 route add ${prefix} via fe80::2 dev to-${name}`),
];

/** A host's end of the wire to the ISP. */
export const uplinkToIsp = (ipv4: readonly string[], ipv6: readonly string[]): readonly string[] => [
  "ip link set wan0 up",
  ...ipv4.map((address) => `ip addr add ${address}/32 dev wan0`),
  ...ipv6.map((address) => `ip -6 addr add ${address}/64 dev wan0 nodad`),
  "ip -6 addr add fe80::2/64 dev wan0 nodad",
  `ip route add ${places.isp.ipv4}/32 dev wan0`,
  `ip route add default via ${places.isp.ipv4} dev wan0 src ${ipv4[0]}`,
  "ip -6 route add default via fe80::1 dev wan0",
];

export const forwarding = "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1";

export function ispMachine(nodes: readonly NodeSpec[]): MachineSpec {
  const net = (address: string): string => address.replace(/::[0-9a-f]+$/, "::/64");
  const { isp, resolver, home, hotspot, web, news, backup, authority } = places;
  return {
    name: "isp",
    before: [
      forwarding,
      `ip addr add ${isp.ipv4}/32 dev lo`,
      `ip addr add ${resolver.ipv4}/32 dev lo`,
      `ip -6 addr add ${isp.ipv6}/128 dev lo`,
      `ip -6 addr add ${resolver.ipv6}/128 dev lo`,
    ],
    setup: [
      ...behindIsp("street", [home.ipv4], [home.prefix6]),
      ...behindIsp("mobile", [hotspot.ipv4], [hotspot.prefix6]),
      ...behindIsp("web", [web.ipv4, news.ipv4], [net(web.ipv6)]),
      ...behindIsp("backup", [backup.ipv4], [net(backup.ipv6)]),
      ...behindIsp("authority", [authority.ipv4], [net(authority.ipv6)]),
      ...nodes.flatMap((n) => behindIsp(n.machine, [n.address4], n.address6 === null ? [] : [net(n.address6)])),
    ],
    services: [
      {
        name: "resolver",
        file: "resolver.ts",
        config: { addresses: [resolver.ipv4, resolver.ipv6], upstream: authority.ipv4 },
      },
    ],
    resolvers: [authority.ipv4],
    ownFiles: false,
  };
}

/** A stock wireguard-go with masquerade to the node's own addresses; resolver and control side on the inside. */
export function nodeMachine(node: NodeSpec): MachineSpec {
  const net4 = insideNet4(node);
  const masquerade4 = `add rule inet lab post ip saddr ${net4} oifname "wan0" masquerade`;
  const masquerade6 = `add rule inet lab post ip6 saddr ${node.inside6}/64 oifname "wan0" masquerade`;
  const { inside4, inside6, address4, address6 } = node;
  return {
    name: node.machine,
    before: [forwarding],
    setup: [
      ...uplinkToIsp([address4], address6 === null ? [] : [address6]),
      ...(address6 === null ? ["ip -6 route del default", "ip -6 addr flush dev wan0"] : []),
      // -f: stays in the foreground, that is in the lab's process tree; the socket tells when it is there
      "mkdir -p /run/wireguard",
      "WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error wireguard-go -f wg0 </dev/null >/run/wireguard-go.log 2>&1 &",
      "for i in $(seq 500); do [ -S /run/wireguard/wg0.sock ] && break; sleep 0.01; done",
      `wg setconf wg0 /dev/stdin <<'CONF'\n${nodeConf(node)}CONF`,
      `ip addr add ${inside4}/24 dev wg0`,
      ...(inside6 === null ? [] : [`ip -6 addr add ${inside6}/64 dev wg0 nodad`]),
      "ip link set wg0 up",
      "nft -f - <<'NFT'",
      "add table inet lab",
      "add chain inet lab post { type nat hook postrouting priority 100; }",
      masquerade4,
      ...(inside6 === null ? [] : [masquerade6]),
      "NFT",
    ],
    services: [
      {
        name: "node",
        file: "node.ts",
        config: {
          inside: [inside4, inside6].filter((a) => a !== null),
          outside: { ipv4: address4, ipv6: address6 },
          load: node.load,
          upstream: places.authority.ipv4,
          beacon: { zone: places.authority.zone, server: places.authority.ipv4 },
        },
      },
    ],
    resolvers: [places.authority.ipv4],
    ownFiles: false,
  };
}

const insideNet4 = (node: NodeSpec): string => insideOf(node.inside4, 1).replace(/\d+$/, "0/24");
