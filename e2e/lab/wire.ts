// One wire: a culvert-link process. Orders go down its standard input as JSON lines, answers come back by id; its
// records are pcap files, one for each port, of what that machine sent.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import type { Machine } from "./machine.ts";
import { eachLine } from "./process.ts";
import type { PortSpec, Shape, WireSpec } from "./topology.ts";

export const binary = (name: "culvert-link" | "culvert-flood"): string =>
  fileURLToPath(new URL(`../../native/target/release/${name}`, import.meta.url));

/**
 * Frames that wait in a device for the wire to take them. One that finds the queue full is dropped unseen; the default of
 * 1000 fills in 10 ms at 100,000 a second, less than a time slice on a busy machine.
 */
const queueLength = 20_000;

export interface Totals {
  readonly frames: number;
  readonly bytes: number;
  readonly lost: number;
  readonly tooBig: number;
  readonly queueFull: number;
  readonly delivered: number;
  readonly refused: number;
}

export interface Wire {
  readonly name: string;
  readonly spec: WireSpec;
  /** pid of the culvert-link process. */
  readonly pid: number;
  /** pcap of what this machine sent. */
  record(machine: string): string;
  port(machine: string): PortSpec;
  /** Shape of what one machine sends, or of the whole wire. Replaces what was set before. */
  shape(shape: Shape, from?: string): Promise<void>;
  carrier(machine: string, on: boolean): Promise<void>;
  /** The device is born now; it has neither addresses nor is it up. */
  plug(machine: string): Promise<void>;
  /** The device is gone. */
  unplug(machine: string): Promise<void>;
  totals(): Promise<Readonly<Record<string, Totals>>>;
}

interface Answer {
  readonly id: number | null;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: string;
}

export async function startWire(
  spec: WireSpec,
  machines: ReadonlyMap<string, Machine>,
  folder: string,
  seed: number,
): Promise<Wire> {
  const portOf = (port: PortSpec) => {
    const machine = machines.get(port.machine);
    if (machine === undefined) throw new Error(`wire ${spec.name}: no machine ${port.machine}`);
    return { name: port.machine, pid: machine.pid, device: port.device, mac: port.mac };
  };
  const plugged = spec.ports.filter((port) => port.plugged).map(portOf);
  const widen = async (port: PortSpec): Promise<void> => {
    await machines.get(port.machine)?.exec(`ip link set ${port.device} txqueuelen ${queueLength}`);
  };
  const argument = JSON.stringify({ record: folder, seed, ports: plugged, shape: spec.shape });
  const child = spawn(binary("culvert-link"), [argument], { stdio: ["pipe", "pipe", "inherit"] });
  const ask = await talk(child, `wire ${spec.name}`);
  await Promise.all(spec.ports.filter((port) => port.plugged).map(widen));

  const port = (machine: string): PortSpec => {
    const found = spec.ports.find((p) => p.machine === machine);
    if (found === undefined) throw new Error(`wire ${spec.name}: no port for ${machine}`);
    return found;
  };
  const order = async (what: Record<string, unknown>): Promise<void> => {
    await ask(what);
  };
  return {
    name: spec.name,
    spec,
    pid: child.pid ?? 0,
    record: (machine) => join(folder, `${port(machine).machine}.pcap`),
    port,
    shape: (shape, from) => order({ do: "shape", ...(from === undefined ? {} : { from }), shape }),
    carrier: (machine, on) => order({ do: "carrier", port: machine, on }),
    plug: async (machine) => {
      await order({ do: "plug", port: portOf(port(machine)) });
      await widen(port(machine));
    },
    unplug: (machine) => order({ do: "unplug", port: machine }),
    totals: async () => (await ask({ do: "totals" })) as Readonly<Record<string, Totals>>,
  };
}

type Ask = (order: Record<string, unknown>) => Promise<unknown>;

function talk(child: ChildProcess, what: string): Promise<Ask> {
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  const ask: Ask = (order) =>
    new Promise((done, failed) => {
      last += 1;
      waiting.set(last, (answer) => {
        if (answer.ok) done(answer.value);
        else failed(new Error(`${what}: ${JSON.stringify(order)}: ${answer.error}`));
      });
      child.stdin?.write(`${JSON.stringify({ id: last, ...order })}\n`);
    });
  return new Promise((ready, failed) => {
    child.stdin?.on("error", () => undefined);
    child.once("error", failed);
    child.once("exit", (code, signal) => {
      failed(new Error(`${what}: ended (${code ?? signal})`));
      for (const answer of waiting.values()) answer({ id: null, ok: false, error: "the wire has ended" });
    });
    eachLine(child, (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.id === null) ready(ask);
      else waiting.get(answer.id)?.(answer);
      waiting.delete(answer.id ?? 0);
    });
  });
}
