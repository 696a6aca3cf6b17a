// How often the gate's counted rules were met. A refill starts a chain's counters again, so what a change takes is carried.
import type { NftChange } from "./native.ts";
import type { HaveTable } from "./nft-changes.ts";

export interface Hits {
  refused: number;
  direct: number;
}

export function hits(
  tables: readonly HaveTable[],
  only: (table: HaveTable, chain: string) => boolean = () => true,
): Hits {
  const total: Hits = { refused: 0, direct: 0 };
  for (const table of tables) {
    for (const chain of table.chains.filter((c) => only(table, c.name))) {
      for (const rule of chain.rules) {
        if ("foreign" in rule || !rule.counter) continue;
        total[rule.verdict.kind === "accept" ? "direct" : "refused"] += rule.packets;
      }
    }
  }
  return total;
}

/** Adds what the changes are about to throw away. */
export function carry(carried: Hits, have: readonly HaveTable[], changes: readonly NftChange[]): void {
  const lost = hits(have, (table, chain) =>
    changes
      .filter((change) => change.family === table.family)
      .some((change) => change.kind === "table.del" || (change.kind === "chain.fill" && change.chain === chain)),
  );
  Object.assign(carried, sum(carried, lost));
}

export function sum(a: Hits, b: Hits): Hits {
  return { refused: a.refused + b.refused, direct: a.direct + b.direct };
}
