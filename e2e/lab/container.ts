// A container as container engines make it: a namespace behind a bridge of its host, with masquerade towards the outside.
import { type Machine, machineOf } from "./machine.ts";
import { firstLine } from "./process.ts";

export const containers = { bridge: "br0", net4: "10.88.0.0/24", net6: "fd88::/64" } as const;

/** Addresses are 10.88.0.N and fd88::N; the host is 1. */
export async function openContainer(host: Machine, n: number): Promise<Machine> {
  const holder = host.spawn(["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"]);
  await firstLine(holder, (line) => line === "ready", "a container");
  const { bridge, net4, net6 } = containers;
  await host.exec(
    `if ! ip link show ${bridge} >/dev/null 2>&1; then
       ip link add ${bridge} type bridge
       ip addr add 10.88.0.1/24 dev ${bridge}
       ip link set ${bridge} up
       ip -6 addr add fd88::1/64 dev ${bridge} nodad
       for link in /proc/sys/net/ipv6/conf/*/accept_ra; do
         # a forwarding machine takes no advertisements unless told to (ip-sysctl.txt, accept_ra)
         if [ "$(cat $link)" = 1 ]; then echo 2 > $link; fi
       done
       sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
       nft add table inet container
       nft add chain inet container post '{ type nat hook postrouting priority 100; }'
       nft add rule inet container post ip saddr ${net4} oifname != ${bridge} masquerade
       nft add rule inet container post ip6 saddr ${net6} oifname != ${bridge} masquerade
     fi
     ip link add veth${n} type veth peer name eth0 netns ${holder.pid}
     ip link set veth${n} master ${bridge} up`,
  );
  const container = machineOf(`container ${n}`, holder.pid ?? 0);
  await container.exec(
    `ip link set lo up; ip link set eth0 up
     ip addr add 10.88.0.${n}/24 dev eth0; ip route add default via 10.88.0.1
     ip -6 addr add fd88::${n}/64 dev eth0 nodad; ip -6 route add default via fd88::1`,
  );
  return container;
}
