// plan: how long a proof takes as policies grow and how much memory, and how long it takes to lay a large plan and to give
// it another uplink. Each size in a process of its own; what changes routes, in a network namespace of its own.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { z } from "zod";

import { rowOf, type Row } from "./rows.ts";

const run = promisify(execFile);
const proved = z.object({ times: z.array(z.number()), mostMiB: z.number() });
const applied = z.object({
  ...{ apply: z.array(z.number()), batch: z.array(z.number()) },
  ...{
    flows: z.array(z.number()),
    object: z.array(z.number()),
    whole: z.array(z.number()),
    wholeCommands: z.array(z.number()),
  },
});

/** Prefixes; none: twenty rules. */
const sizes = { "20_rules": 0, "1k": 1000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000 } as const;

export async function benchPlan(rounds: number, note: (line: string) => void): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const [name, prefixes] of Object.entries(sizes)) {
    const child = join(import.meta.dirname, "plan-prove.ts");
    // a million takes its time; one round fewer says as much
    const times = prefixes > 100_000 ? Math.min(rounds, 3) : rounds;
    const { stdout } = await run(process.execPath, [child, `${prefixes}`, `${times}`]);
    const found = proved.parse(JSON.parse(stdout));
    note(`${name}: ${found.times.map((t) => t.toFixed(0)).join(" ")} ms, ${found.mostMiB.toFixed(0)} MiB at most`);
    rows.push(rowOf(`prove.${name}`, "ms", found.times));
    // what a click waits for is the proof of a helper that runs; the first one after its start is the dearest
    if (name === "20_rules") rows.push(rowOf("prove.20_rules.cold", "ms", found.times.slice(0, 1)));
    if (name === "1m") rows.push(rowOf("prove.1m.memory", "MiB", [found.mostMiB]));
  }
  const child = join(import.meta.dirname, "plan-apply.ts");
  const { stdout } = await run("unshare", ["-n", process.execPath, child, "100000", `${Math.min(rounds, 3)}`]);
  const found = applied.parse(JSON.parse(stdout));
  note(`the uplink changed with ${found.wholeCommands.join(", ")} commands`);
  return [
    ...rows,
    rowOf("apply.100k", "ms", found.apply),
    rowOf("apply.100k.ip_batch", "ms", found.batch),
    rowOf("uplink_change.100k", "ms", found.object),
    rowOf("uplink_change.100k.flows", "ms", found.flows),
    rowOf("uplink_change.100k.whole", "ms", found.whole),
  ];
}
