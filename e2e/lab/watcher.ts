// The watcher: what left a machine on a wire, frame by frame, judged from outside. Leaks are decided here and nowhere else.
import { type Frame, printFrame } from "./frame.ts";
import { type Allowed, flowKey, type Inbound, judge, type Kind, kinds, opensWelcome } from "./judge.ts";
import type { Lab } from "./lab.ts";
import { readRecord } from "./record.ts";

export type Counts = Readonly<Record<Kind, number>>;

export interface Seen {
  readonly counts: Counts;
  /** Frames beside the tunnel, each as a line; at most the first 50, `counts` has the sum. */
  readonly beside: readonly string[];
}

export interface Watcher {
  /** Judges all that left between the two moments (Unix milliseconds); until now when only one is given. */
  look(allowed: Allowed, since: number, until?: number): Promise<Seen>;
  /** Frames as they were, for tests that look for one of them. */
  frames(since: number, until?: number): Promise<readonly Frame[]>;
}

const mostLines = 50;
/** A connection that came in this long before is still answered. */
const inboundMemoryMs = 120_000;

export function watch(lab: Lab, wireName: string, machine: string): Watcher {
  const wire = lab.wire(wireName);
  const outgoing = readRecord(wire.record(machine));
  const others = wire.spec.ports.filter((port) => port.machine !== machine);
  const incoming = others.map((port) => readRecord(wire.record(port.machine)));
  const mac = wire.port(machine).mac;

  const welcomed = (allowed: Allowed, since: number, until: number): Inbound => {
    const flows = new Set<string>();
    if (allowed.welcome.length === 0) return flows;
    for (const record of incoming) {
      for (const { toMac, net } of record.frames(since - inboundMemoryMs, until)) {
        if (toMac === mac && net?.kind === "ip" && opensWelcome(net, allowed)) flows.add(flowKey(net, "in"));
      }
    }
    return flows;
  };
  const settle = async (until: number | undefined): Promise<number> => {
    const moment = until ?? Date.now() + 1;
    // the wire takes all that waits in the devices before it answers
    await wire.totals();
    return moment;
  };

  return {
    look: async (allowed, since, until) => {
      const end = await settle(until);
      const flows = welcomed(allowed, since, end);
      const counts = Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<Kind, number>;
      const beside: string[] = [];
      for (const frame of outgoing.frames(since, end)) {
        const kind = judge(frame, allowed, flows);
        counts[kind] += 1;
        if (kind === "beside" && beside.length < mostLines) beside.push(printFrame(frame));
      }
      return { counts, beside };
    },
    frames: async (since, until) => [...outgoing.frames(since, await settle(until))],
  };
}
