// Whether two plans send every packet the same way: what a change that does not matter is. Asked by the mutation check, and
// by a "what if" before saving. A packet that is dropped and one that is refused have the same fate here: neither goes.
import { explore, type Cube } from "./classes.ts";
import { none } from "./faults.ts";
import type { Machine } from "./machine.ts";
import type { Origin } from "./packet.ts";
import { sockets, starts, type State } from "./state.ts";
import { walk, type End, type Routing } from "./walk.ts";

/**
 * `other` is `one` with another gate (`change` gate) or with other rules (`change` rules); it must ask nothing that the
 * classes of the state do not know. A gate is compared with any routing, whole and by itself, and so for every fault.
 */
export function sameFate(state: State, one: Machine, other: Machine, change: "gate" | "rules"): boolean {
  const names = [...one.links.keys()];
  const coming: Origin[] = names.map((device) => ({ kind: "arriving", device }));
  const bound = sockets(state, null, "set");
  if (change === "rules") {
    const more = names.flatMap((name) => sockets(state, name, "set"));
    const cubes = starts(state, [...bound, ...sockets(state, null, "unset"), ...more, ...coming]);
    const real: Routing = { kind: "model" };
    return [none, ...state.faults].every((fault) => agree(state, cubes, fault.change(one), fault.change(other), real));
  }
  const frames: Origin[] = state.devices.map((device) => ({ kind: "frame", device }));
  const odd = [...starts(state, frames, "arp"), ...starts(state, frames, "other")];
  const cubes = [...starts(state, [...bound, ...coming, ...frames]), ...odd];
  const any: Routing = { kind: "any", devices: [...new Set([...state.devices, ...names])] };
  const only = (machine: Machine, family: "inet" | "netdev"): Machine => ({
    ...machine,
    nft: machine.nft.filter((table) => table.family === family),
  });
  return (
    agree(state, cubes, one, other, any) &&
    (["inet", "netdev"] as const).every((family) => agree(state, cubes, only(one, family), only(other, family), any))
  );
}

function agree(state: State, cubes: readonly Cube[], one: Machine, other: Machine, routing: Routing): boolean {
  let same = true;
  explore(state.classes, cubes, (packet, _leaf, again) => {
    const first = walk(one, packet, routing).end;
    again();
    same = fateOf(first) === fateOf(walk(other, packet, routing).end);
    return !same;
  });
  return same;
}

function fateOf(end: End): string {
  if (end.kind === "left") return `left by ${end.device} via ${end.gateway ?? ""}`;
  return end.kind === "delivered" ? `delivered ${end.stub ?? ""}` : "goes nowhere";
}
