// How often the gate's counted rules were met. A refill starts a chain's counters again, so what a change takes is carried.
import type { NftRule } from "../plan/nft.ts";
import type { StandingGate } from "./kernel.ts";
import type { NftChange, ReadRule } from "./native.ts";
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

/** The gate for whoever asks what it lets through: our words, and what nobody can say in them. */
export function standing(tables: readonly HaveTable[]): StandingGate {
  const packets = new Map<NftRule, number>();
  const foreign: string[] = [];
  const ruleOf = (read: ReadRule): readonly NftRule[] => {
    if ("foreign" in read) {
      foreign.push(read.foreign);
      return [];
    }
    const { note, matches, counter, verdict } = read;
    const rule: NftRule = { note, matches, counter, verdict };
    packets.set(rule, read.packets);
    return [rule];
  };
  const chainsOf = (table: HaveTable) => table.chains.map((c) => ({ ...c, rules: c.rules.flatMap(ruleOf) }));
  return {
    tables: tables.map((t) => ({
      ...{ family: t.family, name: t.name, owned: t.owned, sets: t.sets },
      chains: chainsOf(t),
    })),
    packets,
    foreign,
  };
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
