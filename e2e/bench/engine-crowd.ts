// A node and its crowd: 10,000 configured peers with 100,000 prefixes, 1,000 of which talk, against one peer alone; how
// many handshakes are answered; and what a flood of initiations costs that are none. The crowd is simulated by one
// program (native/engine/examples/crowd) that prepares everything beforehand, on the same machine and its loopback.
import { z } from "zod";

import { startDevice } from "./engine-ends.ts";
import { crowd, type Programs } from "./engine-peers.ts";
import { bareMachine, end } from "./engine-road.ts";
import type { Sample } from "./engine-rows.ts";

const figuresSchema = z.record(z.string(), z.number());

const sizes = {
  one: ["peers=1", "talking=1"],
  culvert: ["peers=10000", "talking=1000", "prefixes=100000"],
} as const;

/** Rows by what the crowd calls its figures. A flood and handshakes are measured before the crowd only. */
const names = {
  both: { goodput: "crowd", cpu_per_gb: "crowd.cpu_per_gb" },
  culvert: {
    bytes_a_peer: "crowd.bytes_a_peer",
    "handshakes.per_second": "handshakes.per_second",
    "handshakes.cpu_ns": "handshakes.ns_each",
    "forged.cpu_ns": "flood.ns_forged",
    "unmade.cpu_ns": "flood.ns_unmade",
    "unmade.under_load": "flood.under_load",
    established: "flood.established",
  },
} as const;

/** One peer with networks behind it, every packet from another of them: what finding them costs. */
const prefixes = {
  one: ["peers=1", "talking=1", "prefixes=1"],
  culvert: ["peers=1", "talking=1", "prefixes=100000"],
} as const;

export async function measurePrefixes(programs: Programs, round: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const config of ["one", "culvert"] as const) {
    const { goodput = NaN, cpu_per_gb = NaN } = await figuresOf(programs, prefixes[config]);
    samples.push({ round, name: "prefixes", config, value: goodput });
    samples.push({ round, name: "prefixes.cpu_per_gb", config, value: cpu_per_gb });
  }
  return samples;
}

export async function measureCrowd(programs: Programs, round: number): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  for (const config of ["one", "culvert"] as const) {
    const figures = await figuresOf(programs, sizes[config]);
    const rows = config === "culvert" ? { ...names.both, ...names.culvert } : names.both;
    for (const [figure, name] of Object.entries(rows)) {
      const value = figures[figure];
      if (value === undefined) throw new Error(`the crowd does not say ${figure}`);
      samples.push({ round, name, config, value });
    }
  }
  return samples;
}

async function figuresOf(programs: Programs, size: readonly string[]): Promise<Readonly<Record<string, number>>> {
  const machine = await bareMachine("node");
  await machine.exec("ip link set lo up");
  const device = await startDevice(machine, programs, "culvert", "tunnel", ["198.51.100.2/24"]);
  try {
    // The kernel drops what arrives by its source, before it would keep a record of every address it cannot forward for.
    await machine.exec("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.tunnel.rp_filter=1");
    const words = [crowd, "/run/wireguard/tunnel.sock", `${device.pid}`, "tunnel", "127.0.0.1:51820", ...size];
    const { stdout } = await machine.exec(words, { timeoutMs: 120_000 });
    return figuresSchema.parse(JSON.parse(stdout));
  } finally {
    await end([device.child]);
  }
}
