// P3 of programs whose names go another lane than the machine's: a query under such a mark leaves by nothing at all, it comes
// to our resolver of that lane and to no other; a blocked program's comes to nobody; nobody else comes to that resolver;
// and what it asks for the direct lane goes by an uplink to whom it may ask, never into the tunnel.
import type { Lane } from "../contract/policy.ts";
import { laneStubs, loopback, markMask, marks } from "../plan/numbers.ts";
import type { Cube } from "./classes.ts";
import { uplinksOf } from "./faults.ts";
import { hasSource, isOwn, joined, judged, marked, nothing, numbered, ordinary, type Judge } from "./judged.ts";
import type { Looked } from "./leaks.ts";
import { ctStates } from "./packet.ts";
import { sockets, starts, type State } from "./state.ts";
import { walk } from "./walk.ts";

export function namesByLane(state: State): Looked {
  const { wanted, machine } = state;
  if (wanted.names.lanes.size === 0) return nothing;
  const bound = [...machine.links.values()].filter((l) => !l.tunnel).map((l) => l.name);
  const origins = [null, ...bound].flatMap((device) => [
    ...sockets(state, device, "unset"),
    ...sockets(state, device, "set"),
  ]);
  const all = starts(state, origins);
  const led = [...wanted.names.lanes].flatMap(([mark, lane]) => {
    const cubes = all.map((cube): Cube => to(cube, 53, { mask: markMask, value: mark, not: [] }));
    return judged(state, "P3", cubes, comesTo(state, lane));
  });
  const stubs = wanted.names.stubs.flatMap((stub) => {
    const cubes = all.map((cube) => to(here(state, cube), laneStubs[stub.lane as "direct" | "tunnel"], cube.mark));
    return judged(state, "P3", cubes, (packet) => {
      const { end } = walk(machine, packet);
      return end.kind === "delivered" && !stub.mayAsk(packet) ? { wanted: "refused" } : null;
    });
  });
  const ours = all.map((cube) => to(cube, 53, marked(cube, marks.direct).mark));
  return joined(...led, ...stubs, judged(state, "P3", ours, asks(state)));
}

const comesTo =
  ({ machine, wanted }: State, lane: Lane): Judge =>
  (packet) => {
    if (wanted.names.laneOf(packet) === null) return null;
    const { end } = walk(machine, packet);
    if (end.kind === "left") return { wanted: lane };
    const stub = lane === "block" ? undefined : laneStubs[lane];
    if (end.kind === "delivered") return stub !== undefined && end.stub === stub ? null : { wanted: lane };
    // who asks this machine itself is answered: there no way can be missing
    const plain = unbound(packet) && packet.ct(ctStates.new) && isOwn(packet) && !packet.flag("header-included");
    const whole = packet.family === 4 ? !packet.flag("lsrr") && !packet.flag("ssrr") : !packet.flag("routing-header");
    return stub !== undefined && plain && whole ? { wanted: lane } : null;
  };

const asks =
  (state: State): Judge =>
  (packet) => {
    const { wanted, machine, bare, facts } = state;
    if (!wanted.names.isOurs(packet)) return null;
    const { end } = walk(machine, packet);
    if (end.kind === "left" && machine.links.get(end.device)?.tunnel === true) return { wanted: "direct" };
    if (!wanted.names.isAsking(packet) || state.name === "connecting") return null;
    if (!unbound(packet) || !ordinary(packet) || !numbered(state, packet.family)) return null;
    if (packet.flag("header-included")) return null;
    const bareEnd = walk(bare, packet).end;
    const byUplink = bareEnd.kind === "left" && uplinksOf(facts).includes(bareEnd.device);
    return end.kind === "left" || !byUplink ? null : { wanted: "direct" };
  };

const unbound = (packet: Parameters<Judge>[0]): boolean =>
  !hasSource(packet) && packet.origin.kind === "socket" && packet.origin.device === null && !packet.origin.kernel;

function to(cube: Cube, port: number, mark: Cube["mark"]): Cube {
  return { ...cube, mark, protocol: [6, 6, 17, 17], dport: [port, port] };
}

function here({ classes }: State, cube: Cube): Cube {
  return { ...cube, destination: 1n << BigInt(classes.spaces[cube.family].locate(loopback[cube.family])) };
}
