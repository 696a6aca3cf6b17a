// P1, P3, P8, P9, P10 and the ARP half of P7: what leaves by something else than the tunnel is what the policy sends
// there. First with any routing at all: what a lock alone holds is held in every fault that leaves it, and in every step
// between two plans. Only what the locks let through unasked is then walked with the real rules and routes, fault by fault.
import type { Policy } from "../contract/policy.ts";
import { explore, type Cube } from "./classes.ts";
import { bornLater, none, type Fault } from "./faults.ts";
import { isToMany } from "./fib.ts";
import { localTable, type Machine } from "./machine.ts";
import { choosing, fromAnywhere, ofMarks } from "./memory.ts";
import { ctStates, type Origin, type Packet, type Part } from "./packet.ts";
import { outranked } from "./outranked.ts";
import { sockets, starts, type State } from "./state.ts";
import { walk, type Routing } from "./walk.ts";
import type { Wanted } from "./wanted.ts";

export type Property = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P9" | "P10" | "P11";

export interface Finding {
  /** null: a leak, and the packet says which promise it breaks. */
  readonly property: Property | null;
  readonly fault: string;
  readonly machine: Machine;
  readonly routing: Routing;
  /** The class that breaks the property; null where no packet is at fault (P9 order, P11). */
  readonly cube: Cube | null;
  readonly data: Readonly<Record<string, string>>;
}

export interface Looked {
  readonly findings: readonly Finding[];
  readonly classes: number;
}

/** Enough to choose the plainest packet from; a broken plan has thousands. */
const enough = 64;

export interface Leaks extends Looked {
  /** Both locks together hold with any routing: then every step of laying routes and rules behind them holds, too. */
  readonly alone: boolean;
}

/**
 * Each lock is looked at by itself, with any routing: lock 3 for raw frames, which meet nothing else, and lock 2 for all
 * other packets. What lock 2 alone holds, both hold together. What lock 3 holds of frames it holds of packets, too (it cannot
 * tell them apart), so with the inet table gone nothing is left to look for.
 */
export function leaks(state: State): Leaks {
  const any: Routing = { kind: "any", devices: state.devices };
  const { nft } = state.machine;
  const lock2: Machine = { ...state.machine, nft: nft.filter((t) => t.family === "inet") };
  const lock3: Machine = { ...state.machine, nft: nft.filter((t) => t.family === "netdev") };
  const frames = besides(state, lock3, frameStarts(state), any, enough);
  const by2 = besides(state, lock2, packetStarts(state), any, Infinity);
  const by3 =
    frames.cubes.length === 0 && framesStandForAll(state)
      ? none3
      : besides(state, lock3, packetStarts(state), any, Infinity);
  const both =
    by2.cubes.length === 0
      ? none3
      : besides(
          state,
          state.machine,
          by2.cubes.map((cube) => fresh(state, cube)),
          any,
          Infinity,
        );
  const findings = frames.cubes.map((cube) => found(none, lock3, any, cube));
  let classes = frames.classes + by2.classes + by3.classes + both.classes;
  const open = { whole: both.cubes, "inet only": by2.cubes, "egress only": by3.cubes };
  for (const fault of [none, ...state.faults]) {
    if (open[fault.gate].length === 0 || findings.length >= enough) continue;
    const out = withRoutes(state, fault, open[fault.gate]);
    classes += out.classes;
    findings.push(...out.findings);
  }
  // at rest there is no lock of routing: main's routes are left as they are
  const alone1 = state.name === "off" ? null : routingAlone(state);
  classes += alone1?.classes ?? 0;
  findings.push(...(alone1?.findings ?? []));
  return { findings, classes, alone: frames.cubes.length === 0 && both.cubes.length === 0 };
}

/**
 * Lock 1 alone, as after `nft flush ruleset` (4.40): routing holds what programs send that name no device, whatever else has
 * gone wrong. What it cannot hold is left to the other two: multicast (J), source routing (K), queries (it sees no ports).
 */
function routingAlone(state: State): Looked {
  const looked: Looked[] = [];
  const real: Routing = { kind: "model" };
  const from = starts(state, sockets(state, null, "unset")).flatMap((cube) =>
    ofMarks(state.classes, { ...cube, flags: whole }, state.wanted.marks),
  );
  for (const fault of [none, ...state.faults.filter((f) => f.gate === "whole" && f.name !== "rules flushed")]) {
    const machine = { ...fault.change(state.machine), nft: [] };
    const name = fault === none ? "nft flushed" : `nft flushed, ${fault.name}`;
    // a form that lies in main holds nothing that main's others decide: there the two nft locks are all there is
    const except = (packet: Packet): boolean =>
      beyondRouting(state, fault, packet) || outranked(state, packet, walk(machine, packet, real));
    // IPv6 asks again with a source after a refusal, and the tunnel's source leads into the tunnel: the gate's part there
    const blocked = (packet: Packet): boolean =>
      packet.family === 4 &&
      !state.wanted.isLan(packet) &&
      !state.wanted.isQuery(packet) &&
      state.wanted.lane(packet).lane === "block" &&
      !(unsayable(state.policy) && packet.dport(65535, 65535));
    const out = besides(state, machine, from, real, enough, except, blocked);
    looked.push({
      classes: out.classes,
      findings: out.cubes.map((cube) => found({ ...fault, name }, machine, real, cube)),
    });
  }
  return { findings: looked.flatMap((l) => l.findings), classes: looked.reduce((sum, l) => sum + l.classes, 0) };
}

function beyondRouting({ wanted, policy }: State, fault: Fault, packet: Packet): boolean {
  // 7.5: table local answers before any rule of ours for the broadcast address of each network, and, where IPv6 is
  // forwarded, for the anycast address of its routers
  const first = packet.covering(localTable)[0]?.type;
  if (first === "broadcast" || first === "anycast") return true;
  // an uplink without an address borrows one, the tunnel's too
  if (isToMany(packet, "destination") || wanted.isQuery(packet) || wanted.isInside("source", packet)) return true;
  // L, 8.16: port 65535; 2.28: to routing the kernel's own packets are root's; 3.13: who has no source yet
  if (unsayable(policy) && packet.dport(65535, 65535)) return true;
  // 8.7: a header of one's own has no protocol and no ports
  if (policy.rules.some((r) => r.match.protocol ?? r.match.ports) && packet.flag("header-included")) return true;
  const { origin } = packet;
  if (origin.kind === "socket" && origin.kernel && policy.rules.some((r) => r.match.users?.includes(0))) return true;
  if (policy.rules.some((r) => r.match.source !== undefined) && wanted.lane(packet).rule?.match.source) return true;
  // a service's port answers and asks alike, to routing
  if (wanted.isWelcome(packet, "out")) return true;
  // C, 1.18: lo takes the stops of a rule's own prefixes along, a second fault that the gate would have to hold
  // and the stops of IPv6 that lie in main
  const inMain = packet.family === 6 && policy.form !== "table";
  return fault.name === "lo down" && (inMain || wanted.lane(packet).rule !== null);
}

/** L, 8.16: a rule of routing cannot say port 65535. */
export const unsayable = (policy: Policy): boolean =>
  policy.rules.some((r) => r.match.ports?.some((p) => p.to === 65535));

const whole: Cube["flags"] = (["lsrr", "ssrr", "routing-header", "later-fragment"] as const).map((flag) => ({
  flag,
  set: false,
}));

const none3 = { cubes: [] as readonly Cube[], classes: 0 };

/** What the locks let out with any routing, walked with the real rules and routes of a machine with a fault. */
function withRoutes(state: State, fault: Fault, open: readonly Cube[]): Looked {
  const machine = fault.change(state.machine);
  const real: Routing = { kind: "model" };
  const out = besides(
    state,
    machine,
    open.flatMap((cube) => refined(state, machine, cube)),
    real,
    enough,
  );
  return { classes: out.classes, findings: out.cubes.map((cube) => found(fault, machine, real, cube)) };
}

/** Without users and owners a packet of a socket and a frame with the same fields are the same to lock 3 and to policy. */
function framesStandForAll({ facts, policy, machine }: State): boolean {
  const owners = machine.nft.some(
    (t) =>
      t.family === "netdev" && t.chains.some((c) => c.rules.some((r) => r.matches.some((m) => m.kind === "skuid"))),
  );
  return facts.features.devicePrefix && !owners && policy.rules.every((rule) => rule.match.users === undefined);
}

function packetStarts(state: State): Cube[] {
  const coming: Origin[] = [...state.devices, state.plan.link?.name]
    .filter((device) => device !== undefined)
    .map((device) => ({ kind: "arriving", device }));
  return starts(state, [...sockets(state, null, "set"), ...coming]);
}

function frameStarts(state: State): Cube[] {
  const frames: Origin[] = egressDevices(state).map((device) => ({ kind: "frame", device }));
  const others = [...starts(state, frames, "arp"), ...starts(state, frames, "other")];
  return [...starts(state, frames, "ip"), ...others.filter((cube) => cube.family === 4)];
}

/**
 * Where the kernel cannot chain every device (F), a device born later is open to raw frames until the watch has added it:
 * said in `limits`, not proven.
 */
function egressDevices(state: State): string[] {
  if (state.facts.features.devicePrefix) return [...state.devices];
  return state.devices.filter((device) => device !== bornLater && state.machine.links.has(device));
}

function besides(
  state: State,
  machine: Machine,
  from: readonly Cube[],
  routing: Routing,
  most: number,
  except: (packet: Packet) => boolean = () => false,
  refusedInTunnel?: (packet: Packet) => boolean,
): { cubes: Cube[]; classes: number } {
  const cubes: Cube[] = [];
  const classes = explore(state.classes, from, (packet, leaf) => {
    const { end } = walk(machine, packet, routing);
    if (end.kind !== "left") return undefined;
    const wrong =
      machine.links.get(end.device)?.tunnel === true
        ? refusedInTunnel?.(packet) === true
        : !mayLeave(state.wanted, packet, end.device) && !except(packet);
    if (wrong) cubes.push(leaf());
    return cubes.length >= most;
  });
  return { cubes, classes };
}

/** What the policy says of a device is the same in every state and fault. */
function mayLeave(wanted: Wanted, packet: Packet, device: string): boolean {
  let parts = wishes.get(wanted);
  if (parts === undefined) wishes.set(wanted, (parts = new Map<string, Part>()));
  let part = parts.get(device);
  if (part === undefined) parts.set(device, (part = { born: "kind" }));
  return packet.summed(part, (asked) => wanted.beside(asked, device) !== null);
}

const wishes = new WeakMap<Wanted, Map<string, Part>>();

const fresh = ({ classes }: State, cube: Cube): Cube => choosing(classes.memory.shared, cube);

/** What the gate alone let out, once more with all the ways a socket can ask. */
function refined(state: State, machine: Machine, cube: Cube): Cube[] {
  const again = fresh(state, cube);
  if (cube.origin.kind !== "socket") return [again];
  const { kernel } = cube.origin;
  const devices = [null, ...[...machine.links.values()].filter((l) => !l.tunnel).map((l) => l.name)];
  const anywhere = fromAnywhere(state.classes.memory.shared, again);
  return devices.flatMap((device) => [
    { ...again, origin: { kind: "socket", device, source: "set", kernel } },
    { ...anywhere, origin: { kind: "socket", device, source: "unset", kernel } },
  ]);
}

function found(fault: Fault, machine: Machine, routing: Routing, cube: Cube): Finding {
  return { property: null, fault: fault.name, machine, routing, cube, data: {} };
}

/** Which promise a packet that left broke first. */
export function promiseBroken(state: State, finding: Finding, packet: Packet): Property {
  if (packet.carries === "arp") return "P7";
  if (finding.fault !== none.name) return "P8";
  if (packet.origin.kind === "arriving") return "P10";
  if (state.wanted.isQuery(packet)) return "P3";
  if (state.wanted.isInside("source", packet)) return "P6";
  const answer = packet.ct(ctStates.establishedReply | ctStates.relatedReply);
  return answer && state.wanted.isOutside("source", packet) ? "P6" : "P1";
}
