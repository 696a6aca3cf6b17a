// Runs in the laptop while the helper is dead: takes the gate as the kernel has it and changes it so many times, through
// the addon's own transactions. Each change fills one chain anew in place, chain after chain of both tables; those that open
// a link are emptied in between, so that a moment between two fillings would show on the wire.
//
//   node gate-loop.ts CHANGES → {"changes": n, "tookMs": ms}
import { createRequire } from "node:module";

import type { NftChain, NftRule, NftTable } from "../../helper/plan/nft.ts";
import { tableName } from "../../helper/plan/numbers.ts";

interface Addon {
  nftOpen(): number;
  nftRead(fd: number, family: string, name: string): string;
  nftApply(fd: number, changes: string): string;
}

const addon = createRequire(import.meta.url)("../../native/addon/culvert.node") as Addon;
const wanted = Number(process.argv[2] ?? "100");
const fd = addon.nftOpen();

const every = (["inet", "netdev"] as const).flatMap((family) => {
  const table = JSON.parse(addon.nftRead(fd, family, tableName)) as NftTable;
  const own = { family, table: tableName };
  const fill = (chain: NftChain, rules: readonly NftRule[]): string => {
    const plain = rules.map(({ note, matches, counter, verdict }) => ({ note, matches, counter, verdict }));
    const adopt = { ...own, kind: "table.set", owned: true };
    return JSON.stringify([adopt, { ...own, kind: "chain.fill", chain: chain.name, rules: plain }]);
  };
  // only what opens a link may be missing for a moment: that closes
  return table.chains.flatMap((chain) =>
    chain.name.startsWith("link") ? [fill(chain, []), fill(chain, chain.rules)] : [fill(chain, chain.rules)],
  );
});

const began = performance.now();
for (let change = 0; change < wanted; change += 1) {
  const refused = addon.nftApply(fd, every[change % every.length] ?? "[]");
  if (refused !== "[]") throw new Error(`change ${change}: ${refused}`);
}
process.stdout.write(`${JSON.stringify({ changes: wanted, tookMs: performance.now() - began })}\n`);
