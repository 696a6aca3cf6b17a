// Whether two plans send every packet the same way: what a change that does not matter is. Asked by the mutation check, and
// by a "what if" before saving. A packet that is dropped and one that is refused have the same fate here: neither goes.
import { explore, type Cube } from "./classes.ts";
import { none } from "./faults.ts";
import type { Machine } from "./machine.ts";
import type { Origin } from "./packet.ts";
import { sockets, starts, type State } from "./state.ts";
import { walk, type End, type Routing } from "./walk.ts";

/** `one` must have been made with the questions and routes of both (stateOf with both plans' lines in it). */
export function sameFate(state: State, one: Machine, other: Machine): boolean {
  const names = [...one.links.keys()];
  const bound = names.flatMap((name) => sockets(state, name, "set"));
  const sent = [...sockets(state, null, "set"), ...sockets(state, null, "unset"), ...bound];
  const coming: Origin[] = names.map((device) => ({ kind: "arriving", device }));
  const frames: Origin[] = state.devices.map((device) => ({ kind: "frame", device }));
  const cubes = [
    ...starts(state, [...sent, ...coming, ...frames]),
    ...starts(state, frames, "arp"),
    ...starts(state, frames, "other"),
  ];
  const devices = [...state.devices, ...names];
  const any: Routing = { kind: "any", devices };
  return (
    agree(state, cubes, one, other, any) &&
    [none, ...state.faults].every((fault) =>
      agree(state, cubes, fault.change(one), fault.change(other), { kind: "model" }),
    )
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
  return end.kind === "delivered" ? "delivered" : "goes nowhere";
}
