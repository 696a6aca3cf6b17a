// watch: what another program takes away of ours, and how soon it is laid again, on a connected machine at rest. With the owned
// gate and without: there the gate goes with `nft flush ruleset`, and it is what comes back.
import { fileURLToPath } from "node:url";

import { ownTables } from "../net/own-tables.ts";
import { openConnected } from "../net/road.ts";
import { type Row, rowOf } from "./rows.ts";

const clock = fileURLToPath(new URL("../net/mend-clock.ts", import.meta.url));
/** Each mending and the rest after it; what a way may take at most is the clock's own affair. */
const longestMs = 10_000;

export async function benchWatch(rounds: number, note: (line: string) => void): Promise<readonly Row[]> {
  const owned = await mendings(true, rounds, { rules4: "rule", routes: "route", address: "address" });
  note("with an owned gate");
  const open = await mendings(false, rounds, { ruleset: "flush", rules4: "rule.no_owner", routes: "route.no_owner" });
  note("without an owner");
  return [...owned, ...open];
}

/** `ways` of the clock → names of rows. */
async function mendings(
  owner: boolean,
  rounds: number,
  ways: Readonly<Record<string, string>>,
): Promise<readonly Row[]> {
  const road = await openConnected({ owner, control: [] });
  try {
    if (owner) {
      await road.laptop.exec("nft flush ruleset");
      const left = await ownTables(road.laptop);
      if (left.length !== 2) throw new Error(`an owned gate went with a flush; left: ${left.join(" ")}`);
    }
    const names = Object.keys(ways);
    const told = await road.laptop.exec([process.execPath, clock, `${rounds}`, names.join(",")], {
      timeoutMs: rounds * names.length * longestMs,
    });
    const took = JSON.parse(told.stdout) as Readonly<Record<string, readonly number[]>>;
    return names.map((name) => rowOf(`watch.mend.${ways[name] ?? name}`, "ms", took[name] ?? []));
  } finally {
    await road.close();
  }
}
