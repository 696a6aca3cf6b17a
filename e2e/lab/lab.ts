// Opens a topology: machines, then wires (their devices appear in the machines), then addresses and routes, then
// services. Must be called inside the namespaces that enter.ts makes; refuses anywhere else.
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";

import { labRoot, requireInside } from "./enter.ts";
import { labFile, type Machine, startMachine } from "./machine.ts";
import { eachLine, firstLine, until } from "./process.ts";
import type { MachineSpec, Topology } from "./topology.ts";
import { startWire, type Wire } from "./wire.ts";

/** What a service saw, in its own words; `at` is in Unix milliseconds. */
export interface ServiceEvent {
  readonly at: number;
  readonly machine: string;
  readonly service: string;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Lab {
  readonly topology: Topology;
  machine(name: string): Machine;
  wire(name: string): Wire;
  /** What services of this machine said, oldest first. */
  events(machine: string, event?: string): readonly ServiceEvent[];
  /** A folder outside of the machines' own files, gone with the lab. */
  readonly folder: string;
  /** Ends every process of the lab. */
  close(): Promise<void>;
}

export async function openLab(topology: Topology): Promise<Lab> {
  requireInside();
  const folder = mkdtempSync(join(labRoot, "lab-"));
  const machines = new Map<string, Machine>();
  const events: ServiceEvent[] = [];
  const wires = new Map<string, Wire>();
  const close = async (): Promise<void> => {
    const networks = new Set([...machines.values()].map((machine) => networkOf(machine.pid)));
    for (const wire of wires.values()) kill(wire.pid);
    await until("every process of the lab ends", () => killMembers(networks) || undefined);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await build(topology, { folder, machines, wires, events });
  } catch (failed) {
    await close();
    throw failed;
  }
  return {
    topology,
    machine: (name) => must(machines, name),
    wire: (name) => must(wires, name),
    events: (machine, event) =>
      events.filter((e) => e.machine === machine && (event === undefined || e.event === event)),
    folder,
    close,
  };
}

interface Parts {
  readonly folder: string;
  readonly machines: Map<string, Machine>;
  readonly wires: Map<string, Wire>;
  readonly events: ServiceEvent[];
}

async function build(topology: Topology, { folder, machines, wires, events }: Parts): Promise<void> {
  await Promise.all(topology.machines.map(async (spec) => machines.set(spec.name, await startMachine(spec))));
  await Promise.all(
    topology.wires.map(async (spec, index) => {
      const records = join(folder, "wires", spec.name);
      mkdirSync(records, { recursive: true });
      wires.set(spec.name, await startWire(spec, machines, records, index + 1));
    }),
  );
  await Promise.all(
    topology.machines.map(async (spec) => {
      const machine = must(machines, spec.name);
      await machine.exec(["sh", "-e", "-s"], { input: `${spec.setup.join("\n")}\n` });
      await startServices(machine, spec, events);
    }),
  );
}

async function startServices(machine: Machine, spec: MachineSpec, events: ServiceEvent[]): Promise<void> {
  await Promise.all(
    spec.services.map(async (service) => {
      const child = machine.node(labFile(`services/${service.file}`), [JSON.stringify(service.config)]);
      child.stderr?.on("data", (chunk: Buffer) =>
        process.stderr.write(`${service.name} on ${spec.name}: ${chunk.toString()}`),
      );
      await firstLine(child, (line) => line.includes('"listening"'), `${service.name} on ${spec.name}`);
      eachLine(child, (line) => {
        const told = JSON.parse(line) as { at: number; event: string };
        events.push({ ...told, machine: spec.name, service: service.name });
      });
    }),
  );
}

/** True when no process is left in these network namespaces. */
function killMembers(networks: ReadonlySet<string>): boolean {
  const members = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && networks.has(networkOf(Number(name))));
  for (const pid of members) kill(Number(pid));
  return members.length === 0;
}

/** Empty for a process that is gone by now. */
function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it was faster
  }
}

function must<T>(map: ReadonlyMap<string, T>, name: string): T {
  const found = map.get(name);
  if (found === undefined) throw new Error(`the lab has no ${name}`);
  return found;
}
