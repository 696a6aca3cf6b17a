// P1, P3, P8, P9, P10 and the ARP half of P7: what leaves by something else than the tunnel is what the policy sends
// there. First with any routing at all: what the gate alone holds is held in every fault that leaves the gate whole, and
// in every step between two plans. Only what the gate lets through unasked is then walked with the real rules and routes,
// fault by fault.
import { explore, type Cube } from "./classes.ts";
import { bornLater, none, type Fault } from "./faults.ts";
import type { Machine } from "./machine.ts";
import { ctStates, type Origin, type Packet } from "./packet.ts";
import { sockets, starts, type State } from "./state.ts";
import { walk, type Routing } from "./walk.ts";

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

export function leaks(state: State): Looked {
  let classes = 0;
  const findings: Finding[] = [];
  for (const gate of ["whole", "egress only", "inet only"] as const) {
    const faults = state.faults.filter((fault) => fault.gate === gate);
    const machine = gate === "whole" ? state.machine : (faults[0]?.change(state.machine) ?? state.machine);
    const any: Routing = { kind: "any", devices: state.devices };
    const open = besides(state, machine, openings(state, gate), any, Infinity);
    classes += open.classes;
    // frames meet no routing: what the gate lets out of them is out
    const bare = open.cubes.filter((cube) => cube.origin.kind === "frame");
    findings.push(...bare.map((cube) => found(gate === "whole" ? none : (faults[0] ?? none), machine, any, cube)));
    const routed = open.cubes.filter((cube) => cube.origin.kind !== "frame");
    if (routed.length === 0) continue;
    for (const fault of gate === "whole" ? [none, ...faults] : faults) {
      const broken = fault.change(state.machine);
      const real: Routing = { kind: "model" };
      const out = besides(
        state,
        broken,
        routed.flatMap((cube) => refined(state, broken, cube)),
        real,
        enough,
      );
      classes += out.classes;
      findings.push(...out.cubes.map((cube) => found(fault, broken, real, cube)));
      if (findings.length >= enough) return { findings, classes };
    }
  }
  return { findings, classes };
}

/**
 * P9: while routes and rules change from one plan to the next, a gate stands and does not. What it alone lets out is what
 * the policy of the plan whose gate it is sends out.
 */
export function gateAlone(state: State): Looked {
  const any: Routing = { kind: "any", devices: state.devices };
  const open = besides(state, state.machine, openings(state, "whole"), any, enough);
  return {
    classes: open.classes,
    findings: open.cubes.map((cube) => ({ ...found(none, state.machine, any, cube), property: "P9" })),
  };
}

/** Everything that can leave, by origin. Without the egress chain raw frames meet no hook at all: a known limit. */
function openings(state: State, gate: Fault["gate"]): Cube[] {
  const frames: Origin[] = egressDevices(state).map((device) => ({ kind: "frame", device }));
  const coming: Origin[] = [...state.devices, state.plan.link?.name]
    .filter((device) => device !== undefined)
    .map((device) => ({ kind: "arriving", device }));
  const ip = starts(state, [...sockets(state, null, "set"), ...coming]);
  if (gate === "inet only") return ip;
  const frames6 = frames.flatMap((origin) => starts(state, [origin]));
  const others = frames.flatMap((origin) => [...starts(state, [origin], "arp"), ...starts(state, [origin], "other")]);
  return [...ip, ...frames6, ...others.filter((cube) => cube.family === 4)];
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
): { cubes: Cube[]; classes: number } {
  const cubes: Cube[] = [];
  const classes = explore(state.classes, from, (packet, leaf) => {
    const { end } = walk(machine, packet, routing);
    if (end.kind !== "left" || machine.links.get(end.device)?.tunnel === true) return undefined;
    if (state.wanted.beside(packet, end.device) === null) cubes.push(leaf());
    return cubes.length >= most;
  });
  return { cubes, classes };
}

/** What the gate alone let out, once more with all the ways a socket can ask. */
function refined(state: State, machine: Machine, cube: Cube): Cube[] {
  const again: Cube = { ...cube, choices: [] };
  if (cube.origin.kind !== "socket") return [again];
  const { kernel } = cube.origin;
  const devices = [null, ...[...machine.links.values()].filter((l) => !l.tunnel).map((l) => l.name)];
  return devices.flatMap((device) => [
    { ...again, origin: { kind: "socket", device, source: "set", kernel } },
    {
      ...again,
      origin: { kind: "socket", device, source: "unset", kernel },
      source: state.classes.spaces[cube.family].all,
    },
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
  const answer = packet.ct(ctStates.establishedReply | ctStates.relatedReply);
  return answer && state.wanted.isOutside("source", packet) ? "P6" : "P1";
}
