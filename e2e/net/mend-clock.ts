// Runs in the laptop beside the helper: takes away what is ours, one way after the other, and measures by the kernel's own
// announcements how long it takes until it is laid again: from the first that tells of the loss to the last that mends it.
//
// Only the first loss is looked for: what goes and comes again in between is part of the same mending.
//
//   node mend-clock.ts ROUNDS WAYS → {"rules": [ms…], …}
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";

interface Addon {
  watch(tell: (json: string) => void): { close(): void };
}

const ways: Readonly<Record<string, { readonly script: string; readonly kinds: readonly string[] }>> = {
  rule: { script: "ip rule del pref 4900", kinds: ["rule"] },
  rules: { script: "ip rule flush; ip -6 rule flush", kinds: ["rule"] },
  rules4: { script: "ip rule flush", kinds: ["rule"] },
  // in the forms that lie in main (T2)
  main: { script: "ip route flush table main dev culvert0", kinds: ["route"] },
  routes: { script: "ip route flush table 7600", kinds: ["route"] },
  address: { script: "ip addr flush dev culvert0", kinds: ["address"] },
  ruleset: { script: "timeout -s KILL 5 nft flush ruleset", kinds: ["nft"] },
};
/** Five mendings in ten seconds are no fight; one more would be. And what was just connected has been proven by then. */
const restMs = 2100;
const waitMs = 8000;

const run = promisify(execFile);
const [roundsText = "1", names = "rule"] = process.argv.slice(2);
const addon = createRequire(import.meta.url)("../../native/addon/culvert.node") as Addon;
const seen: { at: number; kind: string; gone: boolean | undefined; by: string }[] = [];
const watch = addon.watch((json) => {
  const at = performance.now();
  const event = JSON.parse(json) as { kind: string; gone?: boolean; by?: { name: string } };
  seen.push({ at, kind: event.kind, gone: event.gone, by: event.by?.name ?? "" });
});
const took: Record<string, number[]> = {};
for (let round = 0; round < Number(roundsText); round += 1) {
  for (const name of names.split(",")) {
    const way = ways[name];
    if (way === undefined) throw new Error(`no way ${name}`);
    await later(restMs);
    seen.length = 0;
    // not waited for in place: an announcement is stamped when this loop is free to take it
    await run("sh", ["-c", way.script]);
    (took[name] ??= []).push(await mended(way.kinds));
  }
}
watch.close();
process.stdout.write(`${JSON.stringify(took)}\n`);

/** nft tells of a change, by whom; the others of what came or went. */
async function mended(kinds: readonly string[]): Promise<number> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const told = seen.filter((event) => kinds.includes(event.kind));
    const lost = told.find((event) => (event.kind === "nft" ? event.by === "nft" : event.gone === true));
    const back = told.findLast((event) => (event.kind === "nft" ? event.by !== "nft" : event.gone === false));
    const quiet = performance.now() - (told.at(-1)?.at ?? performance.now()) > 150;
    if (lost !== undefined && back !== undefined && back.at > lost.at && quiet) return back.at - lost.at;
    if (performance.now() > deadline) throw new Error(`not laid again: ${JSON.stringify(told.slice(-5))}`);
    await later(10);
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
