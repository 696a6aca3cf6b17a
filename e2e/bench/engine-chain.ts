// Chains of two and three: in Culvert one engine at the client that wraps a peer's datagrams for the peer before it, with
// wireguard-go one device inside the other, as anyone can build it today. The hops stand on the far machine, each a
// device of the same kind; the datagrams for hop 2 arrive on the address that hop 1 gives.
//
//   a  one engine, or n devices  ──cable──  b  hop 1 (192.168.77.2), hop 2 (10.78.1.2), … the last has 10.77.0.2
import { keysOf } from "../lab/keys.ts";
import type { Machine } from "../lab/machine.ts";
import { configure, type End, type Kind, startDevice } from "./engine-ends.ts";
import { type Ground, ping, tcp1, withServer } from "./engine-measure.ts";
import type { Programs } from "./engine-peers.ts";
import { end, inside, outside, type Road } from "./engine-road.ts";
import type { Sample } from "./engine-rows.ts";

type Chained = Extract<Kind, "culvert" | "wireguard_go">;

/** What fits 1,500 bytes over either family, and a hop over IPv4 less for each further one: 20 + 8 + 32. */
const mtuOf = (hop: number): number => 1420 - 60 * (hop - 1);
const portOf = (hop: number): number => 51_820 + hop;
const device = (hop: number): string => `hop${hop}`;

export async function measureChain(
  road: Road,
  programs: Programs,
  length: 2 | 3,
  { round, seconds }: { readonly round: number; readonly seconds: number },
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const kind of ["wireguard_go", "culvert"] as const) {
    if (programs[kind] === undefined) continue;
    const config = kind === "culvert" ? kind : "nested_wireguard_go";
    const ends: End[] = [];
    try {
      for (let hop = 1; hop <= length; hop++) ends.push(await startHop(road, programs, kind, { hop, length }));
      ends.push(...(await startClient(road, programs, kind, length)));
      const ground: Ground = { road, family: 4, pair: undefined, to: inside("b", 4), seconds };
      await ping(road.machines.a, ground.to, 0.01, 20);
      const before = await fragments(road);
      const { tcp1: value = NaN } = await withServer(road, () => tcp1(ground));
      samples.push({ round, name: `chain${length}`, config, value });
      samples.push({ round, name: `chain${length}.fragments`, config, value: (await fragments(road)) - before });
    } finally {
      await end(ends.map(({ child }) => child));
    }
  }
  return samples;
}

interface Place {
  readonly hop: number;
  readonly length: number;
}

const address = (number: 1 | 2, { hop, length }: Place): string =>
  hop === length ? inside(number === 1 ? "a" : "b", 4) : `10.78.${hop}.${number}`;
const endpointOf = (place: Place): string =>
  `${place.hop === 1 ? outside("b", 4) : address(2, { ...place, hop: place.hop - 1 })}:${portOf(place.hop)}`;
const keys = (hop: number): ReturnType<typeof keysOf> => keysOf(`chain hop ${hop}`);

async function startHop(road: Road, programs: Programs, kind: Chained, place: Place): Promise<End> {
  const { b } = road.machines;
  const started = await startLink(b, programs, kind, place, 2);
  const peer = { publicKey: keysOf("a").publicKey, allowed: [`${address(1, place)}/32`] };
  await configure(b, device(place.hop), {
    privateKey: keys(place.hop).privateKey,
    port: portOf(place.hop),
    peers: [peer],
  });
  return started;
}

async function startClient(road: Road, programs: Programs, kind: Chained, length: number): Promise<readonly End[]> {
  const { a } = road.machines;
  const places = Array.from({ length }, (_, index): Place => ({ hop: index + 1, length }));
  const peerOf = (place: Place) => ({
    publicKey: keys(place.hop).publicKey,
    endpoint: endpointOf(place),
    allowed: [`${address(2, place)}/32`],
  });
  if (kind === "culvert") {
    const started = await startLink(a, programs, kind, { hop: length, length }, 1);
    const peers = places.map((place) => ({ ...peerOf(place), more: via(place) }));
    await configure(a, device(length), { privateKey: keysOf("a").privateKey, port: 51_820, peers });
    return [started];
  }
  const all: End[] = [];
  for (const place of places) {
    all.push(await startLink(a, programs, kind, place, 1));
    const config = { privateKey: keysOf("a").privateKey, port: portOf(place.hop), peers: [peerOf(place)] };
    await configure(a, device(place.hop), config);
  }
  return all;
}

/** The extension keys of a chained peer: through whom, and our address and port there. */
function via(place: Place): readonly string[] {
  if (place.hop === 1) return [];
  const before = { ...place, hop: place.hop - 1 };
  const outer = Buffer.from(keys(before.hop).publicKey, "base64").toString("hex");
  return [`culvert_via=${outer}`, `culvert_via_source=${address(1, before)}:4000`];
}

async function startLink(
  machine: Machine,
  programs: Programs,
  kind: Chained,
  place: Place,
  number: 1 | 2,
): Promise<End> {
  const name = device(place.hop);
  const started = await startDevice(machine, programs, kind, name, [`${address(number, place)}/24`]);
  await machine.exec(`ip link set ${name} mtu ${mtuOf(place.hop)}`);
  return started;
}

/** Fragments that either machine has made (RFC 4293, ipFragCreates). */
async function fragments({ machines: { a, b } }: Road): Promise<number> {
  let sum = 0;
  for (const machine of [a, b]) {
    const { stdout } = await machine.exec("grep ^Ip: /proc/net/snmp");
    const [names = [], values = []] = stdout.split("\n").map((line) => line.split(" "));
    sum += Number(values[names.indexOf("FragCreates")]);
  }
  return sum;
}
