// From one client of a node to another: re-encrypted inside the engine, against the same node with the packets written to
// its TUN, forwarded by the kernel and read again. All three ends are Culvert; only the node differs.
//
//   a  10.77.0.1 ──cable── b, the node ──second── c  10.77.0.3
import { keysOf } from "../lab/keys.ts";
import type { Machine } from "../lab/machine.ts";
import { configure, type End, processorSeconds, startDevice } from "./engine-ends.ts";
import { type Ground, ping, tcp1, withServer } from "./engine-measure.ts";
import type { Programs } from "./engine-peers.ts";
import { bareMachine, end, type Road } from "./engine-road.ts";
import type { Sample } from "./engine-rows.ts";

const port = 51_820;
const device = "tunnel";
const nodeInside = "10.77.0.2";
/** Outside address of the client, of the node towards it, and the client's address inside. */
const places = {
  a: { outside: "192.168.77.1", node: "192.168.77.2", inside: "10.77.0.1" },
  c: { outside: "192.168.79.1", node: "192.168.79.2", inside: "10.77.0.3" },
} as const;
type Client = keyof typeof places;

export async function measureClients(
  { machines: { a, b } }: Road,
  programs: Programs,
  { round, seconds }: { readonly round: number; readonly seconds: number },
): Promise<readonly Sample[]> {
  const c = await thirdMachine(b);
  const clients = { a, c };
  const samples: Sample[] = [];
  for (const [config, mode] of [
    ["kernel_forwarding", "system"],
    ["culvert", "route"],
  ] as const) {
    const ends: End[] = [];
    try {
      const node = await startDevice(b, programs, "culvert", device, [`${nodeInside}/24`]);
      ends.push(node);
      await b.exec(
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.tunnel.send_redirects=0",
      );
      await configureNode(b, mode);
      for (const name of ["a", "c"] as const) ends.push(await startClient(clients[name], programs, name));
      const to = places.c.inside;
      const ground: Ground = {
        road: { link: "whole", machines: { a, b: c } },
        family: 4,
        pair: undefined,
        to,
        seconds,
      };
      // each is known to the node once it has spoken
      for (const client of [a, c]) await ping(client, nodeInside, 0.01, 20);
      await ping(a, to, 0.01, 20);
      const before = processorSeconds(node.pid);
      const { tcp1: value = NaN } = await withServer(ground.road, () => tcp1(ground));
      // iperf3 leaves the first second out, which costs processor time all the same
      const gigabytes = (value / 8) * (seconds + 1);
      const perGigabyte = (processorSeconds(node.pid) - before) / gigabytes;
      samples.push(
        { round, name: "clients", config, value },
        { round, name: "clients.cpu_per_gb", config, value: perGigabyte },
        { round, name: "clients.per_core", config, value: 8 / perGigabyte },
      );
    } finally {
      await end(ends.map(({ child }) => child));
      await b.exec("sysctl -qw net.ipv4.ip_forward=0");
    }
  }
  await b.exec("ip link del second");
  return samples;
}

async function thirdMachine(b: Machine): Promise<Machine> {
  const c = await bareMachine("c");
  await b.exec(`ip link add second mtu 1500 type veth peer name cable netns ${c.pid}`);
  await b.exec(`ip addr add ${places.c.node}/24 dev second\nip link set second up`);
  await c.exec(`ip addr add ${places.c.outside}/24 dev cable\nip link set cable up`);
  return c;
}

async function configureNode(b: Machine, mode: "system" | "route"): Promise<void> {
  const peers = (["a", "c"] as const).map((name) => ({
    publicKey: keysOf(name).publicKey,
    allowed: [`${places[name].inside}/32`],
  }));
  await configure(b, device, { privateKey: keysOf("b").privateKey, port, peers, more: [`culvert_inside=${mode}`] });
}

async function startClient(machine: Machine, programs: Programs, name: Client): Promise<End> {
  const started = await startDevice(machine, programs, "culvert", device, [`${places[name].inside}/24`]);
  const node = {
    publicKey: keysOf("b").publicKey,
    endpoint: `${places[name].node}:${port}`,
    allowed: ["10.77.0.0/24"],
  };
  await configure(machine, device, { privateKey: keysOf(name).privateKey, port, peers: [node] });
  return started;
}
