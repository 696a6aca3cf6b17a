// From a set of packets to one of them, and back: the packet that a counterexample shows, the plainest of its class.
import { parseAddress, type Address, type Family } from "../contract/prefix.ts";
import { markIn, type Classes, type Cube } from "./classes.ts";
import { ctStates, type PacketValue } from "./packet.ts";

/** undefined: the class is empty, which splitting marks can leave unnoticed. */
export function memberOf(classes: Classes, cube: Cube): PacketValue | undefined {
  const mark = markIn(cube.mark);
  const destination = plainAddress(classes, cube.family, cube.destination, far);
  const source = plainAddress(classes, cube.family, cube.source, near);
  if (mark === undefined || destination === undefined || source === undefined) return undefined;
  const unset = cube.origin.kind === "socket" && cube.origin.source === "unset";
  return {
    family: cube.family,
    carries: cube.carries,
    origin: cube.origin,
    source: unset ? null : source,
    destination,
    protocol: plain(cube.protocol, [17, 6, cube.family === 4 ? 1 : 58]),
    sport: plain(cube.sport, [40000, 1024]),
    dport: plain(cube.dport, [443, 53, 80]),
    mark,
    uid: plain(cube.uid, [1000, 0]),
    icmpType: plain(cube.icmpType, [cube.family === 4 ? 8 : 128]),
    hops: plain(cube.hops, [64, 255]),
    ethertype: plain(cube.ethertype, [cube.carries === "arp" ? 0x0806 : cube.family === 4 ? 0x0800 : 0x86dd]),
    ct: [ctStates.new, ctStates.establishedOriginal].find((bit) => (cube.ct & bit) !== 0) ?? cube.ct & -cube.ct,
    flags: cube.flags.filter((f) => f.set).map((f) => f.flag),
    choices: Object.fromEntries(cube.choices.map((choice) => [choice.what, choice.first])),
  };
}

/** Whether a packet is one of the cube's; choices are not the packet's and are not looked at. */
export function inCube(classes: Classes, cube: Cube, packet: PacketValue): boolean {
  const within = (ranges: readonly number[], n: number): boolean =>
    ranges.some((low, i) => i % 2 === 0 && n >= low && n <= (ranges[i + 1] ?? 0));
  const space = classes.spaces[cube.family];
  const holds = (set: bigint, address: Address | null): boolean =>
    address === null || ((set >> BigInt(space.locate(address))) & 1n) === 1n;
  const { mask, value, not } = cube.mark;
  return (
    packet.family === cube.family &&
    holds(cube.source, packet.source) &&
    holds(cube.destination, packet.destination) &&
    within(cube.protocol, packet.protocol) &&
    within(cube.sport, packet.sport) &&
    within(cube.dport, packet.dport) &&
    within(cube.uid, packet.uid) &&
    within(cube.icmpType, packet.icmpType) &&
    within(cube.hops, packet.hops) &&
    within(cube.ethertype, packet.ethertype) &&
    (cube.ct & packet.ct) !== 0 &&
    ((packet.mark ^ value) & mask) === 0 &&
    !not.some((n) => ((packet.mark ^ n.value) & n.mask) === 0) &&
    cube.flags.every(({ flag, set }) => packet.flags.includes(flag) === set)
  );
}

/** Addresses a reader knows at a glance; else the lowest of the set. */
const far = { 4: ["203.0.113.200", "8.8.8.8", "9.9.9.9"], 6: ["2001:db8:f::200", "2620:fe::fe"] } as const;
const near = { 4: ["192.168.1.5", "10.0.0.9"], 6: ["fd00::9"] } as const;

function plainAddress(
  classes: Classes,
  family: Family,
  set: bigint,
  nice: Readonly<Record<Family, readonly string[]>>,
): Address | undefined {
  if (set === 0n) return undefined;
  const space = classes.spaces[family];
  for (const text of nice[family]) {
    const address = parseAddress(text);
    if (address !== undefined && ((set >> BigInt(space.locate(address))) & 1n) === 1n) return address;
  }
  let cls = 0;
  while (((set >> BigInt(cls)) & 1n) === 0n) cls++;
  return space.representative(cls);
}

function plain(ranges: readonly number[], wanted: readonly number[]): number {
  const found = wanted.find((n) => ranges.some((low, i) => i % 2 === 0 && n >= low && n <= (ranges[i + 1] ?? 0)));
  return found ?? ranges[0] ?? 0;
}
