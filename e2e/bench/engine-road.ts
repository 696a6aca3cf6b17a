// Two machines and one cable between them, for the engine's benchmark: namespaces of their own joined by a veth pair.
//
//   a  192.168.77.1 fd77::1 ──veth── 192.168.77.2 fd77::2  b       inside: 10.77.0.1 fd78::1 and 10.77.0.2 fd78::2
//
// A veth hands large segments over whole, as a cable between two cards with full offload never does. On the wire-like
// link every outer packet crosses alone (gso_max_segs 1), as with a card that cannot segment UDP.
import type { ChildProcess } from "node:child_process";

import { type Machine, startMachine } from "../lab/machine.ts";

export type Link = "whole" | "wire";
export type Family = 4 | 6;

export interface Road {
  readonly link: Link;
  readonly machines: Readonly<Record<Side, Machine>>;
}

export type Side = "a" | "b";
export const other = (side: Side): Side => (side === "a" ? "b" : "a");
const numberOf: Readonly<Record<Side, number>> = { a: 1, b: 2 };

export const outside = (side: Side, family: Family): string =>
  family === 4 ? `192.168.77.${numberOf[side]}` : `fd77::${numberOf[side]}`;
export const inside = (side: Side, family: Family): string =>
  family === 4 ? `10.77.0.${numberOf[side]}` : `fd78::${numberOf[side]}`;

export async function openRoad(link: Link): Promise<Road> {
  const [a, b] = [await bareMachine("a"), await bareMachine("b")];
  await a.exec([
    "ip",
    "link",
    "add",
    "cable",
    "mtu",
    "1500",
    "type",
    "veth",
    "peer",
    "name",
    "cable",
    "netns",
    `${b.pid}`,
  ]);
  const machines = { a, b };
  for (const side of ["a", "b"] as const) {
    const commands = [
      `ip addr add ${outside(side, 4)}/24 dev cable`,
      `ip addr add ${outside(side, 6)}/64 dev cable nodad`,
      ...(link === "wire" ? ["ip link set cable gso_max_segs 1"] : []),
      "ip link set cable up",
    ];
    await machines[side].exec(commands.join("\n"));
  }
  return { link, machines };
}

export async function bareMachine(name: string): Promise<Machine> {
  return startMachine({ name, before: [], setup: [], services: [], resolvers: [], ownFiles: false });
}

/** Kills what was started and waits until it is gone, so that the next one finds the machine as it was. */
export async function end(children: readonly ChildProcess[]): Promise<void> {
  const living = children.filter((child) => child.exitCode === null && child.signalCode === null);
  const gone = living.map((child) => new Promise((done) => child.once("exit", done)));
  living.forEach((child) => child.kill("SIGKILL"));
  await Promise.all(gone);
}
