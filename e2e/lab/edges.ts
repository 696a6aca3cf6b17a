// The near half: the laptop, its two ways out with what stands on the home network, and the hosts it talks to.
import { forwarding, uplinkToIsp } from "./far.ts";
import { advertisement } from "./craft.ts";
import { places } from "./places.ts";
import type { MachineSpec, NodeSpec } from "./topology.ts";
import { binary } from "./wire.ts";

const { laptop, home, hotspot, printer, nas, web, news, backup, authority, resolver } = places;

export function edgeMachines(): readonly MachineSpec[] {
  return [laptopMachine(), homeRouter(), hotspotRouter(), homeHost("printer", printer), homeHost("nas", nas)];
}

export function webMachines(nodes: readonly NodeSpec[]): readonly MachineSpec[] {
  const web6 = [web.ipv6, news.ipv6];
  const names: Record<string, readonly string[]> = {
    [web.name]: [web.ipv4, web.ipv6],
    [news.name]: [news.ipv4, news.ipv6],
    [backup.name]: [backup.ipv4, backup.ipv6],
  };
  for (const node of nodes) {
    names[`${node.machine}.node.example`] = [node.address4, node.address6].filter((a) => a !== null);
  }
  const beacon = { ipv4: web.ipv4, ipv6: web.ipv6 };
  const asked = { addresses: [authority.ipv4, authority.ipv6], zone: authority.zone, beacon, names };
  return [
    host("web", [web.ipv4, news.ipv4], web6, { name: web.name, addresses: [web.ipv4, news.ipv4, ...web6] }, "web.ts"),
    host(
      "backup",
      [backup.ipv4],
      [backup.ipv6],
      { name: backup.name, addresses: [backup.ipv4, backup.ipv6] },
      "web.ts",
    ),
    host("authority", [authority.ipv4], [authority.ipv6], asked, "authority.ts"),
  ];
}

/** As a desktop has it after DHCP and a router advertisement: main holds default routes of protocols dhcp and ra. */
function laptopMachine(): MachineSpec {
  return {
    name: "laptop",
    before: [],
    setup: [
      `ip link set ${laptop.uplink} up`,
      `ip addr add ${laptop.ipv4}/24 dev ${laptop.uplink} valid_lft 86400 preferred_lft 86400`,
      `ip route add default via ${home.gateway} dev ${laptop.uplink} proto dhcp src ${laptop.ipv4} metric 100`,
      // until the router's advertisement is there
      "for i in $(seq 500); do ip -6 route show default | grep -q 'proto ra' && break; sleep 0.01; done",
    ],
    services: [],
    resolvers: [home.gateway, resolver.ipv4],
    ownFiles: true,
  };
}

/** Masquerade, one forwarded port, advertisements for a public and a private prefix, a resolver for the home. */
function homeRouter(): MachineSpec {
  const forward = `dnat ip to ${laptop.ipv4}:${home.forwardedPort}`;
  return {
    name: "router",
    before: [forwarding],
    setup: [
      ...routerSetup(home.ipv4, `${home.gateway}/24`, home.mac, [home.prefix6, home.lan6]),
      `nft add chain inet lab pre '{ type nat hook prerouting priority -100; }'`,
      `nft add rule inet lab pre iifname wan0 tcp dport ${home.forwardedPort} ${forward}`,
      `nft add rule inet lab pre iifname wan0 udp dport ${home.forwardedPort} ${forward}`,
    ],
    services: [{ name: "dns", file: "resolver.ts", config: { addresses: [home.gateway], upstream: resolver.ipv4 } }],
    resolvers: [resolver.ipv4],
    ownFiles: false,
  };
}

function hotspotRouter(): MachineSpec {
  const gateway = places.second.gateway;
  return {
    name: "hotspot",
    before: [forwarding],
    setup: routerSetup(hotspot.ipv4, `${gateway}/24`, hotspot.mac, [hotspot.prefix6]),
    services: [{ name: "dns", file: "resolver.ts", config: { addresses: [gateway], upstream: resolver.ipv4 } }],
    resolvers: [resolver.ipv4],
    ownFiles: false,
  };
}

function routerSetup(outside: string, lan: string, mac: string, prefixes: readonly string[]): readonly string[] {
  const router6 = "fe80::1";
  // the flood program is what sends frames in the lab; it stops after 300 s at the latest, so it is started again
  const hex = advertisement({ mac, router: router6, prefixes });
  const frame = { name: "ra", kind: "frame", device: "lan0", hex, rate: 0.5 };
  const flood = JSON.stringify({ seconds: 300, streams: [frame] });
  return [
    ...uplinkToIsp([outside], []),
    "ip link set lan0 up",
    `ip addr add ${lan} dev lan0`,
    `ip -6 addr add ${router6}/64 dev lan0 nodad`,
    ...prefixes.map((prefix) => `ip -6 addr add ${prefix.replace("::/64", "::1/64")} dev lan0 nodad`),
    "nft add table inet lab",
    "nft add chain inet lab post '{ type nat hook postrouting priority 100; }'",
    "nft add rule inet lab post oifname wan0 meta nfproto ipv4 masquerade",
    `(while sleep 301 | '${binary("culvert-flood")}' '${flood}' >/dev/null; do :; done) </dev/null >/dev/null 2>&1 &`,
  ];
}

function homeHost(name: string, address: { readonly ipv4: string; readonly ipv6: string }): MachineSpec {
  const addresses = [address.ipv4, address.ipv6];
  return {
    name,
    before: [],
    setup: [
      "ip link set eth0 up",
      `ip addr add ${address.ipv4}/24 dev eth0`,
      `ip -6 addr add ${address.ipv6}/64 dev eth0 nodad`,
      `ip route add default via ${home.gateway} dev eth0`,
    ],
    services: [{ name, file: "printer.ts", config: { name, addresses } }],
    resolvers: [home.gateway],
    ownFiles: false,
  };
}

function host(
  name: string,
  ipv4: readonly string[],
  ipv6: readonly string[],
  config: unknown,
  file: string,
): MachineSpec {
  return {
    name,
    before: [],
    setup: uplinkToIsp(ipv4, ipv6),
    services: [{ name, file, config }],
    resolvers: [authority.ipv4],
    ownFiles: false,
  };
}
