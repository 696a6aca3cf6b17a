// The steps of an nft transaction as the lines for `nft -f` that they equal: what Applied.commands shows. Pure.
import type { NftTable } from "../plan/nft.ts";
import { printNft, printNftRule } from "../plan/print-nft.ts";
import type { NftChange } from "./native.ts";

/** Sets longer than this are cut: the line is for people. */
const shown = 8;

export function printChange(change: NftChange): readonly string[] {
  const table = `${change.family} ${change.table}`;
  switch (change.kind) {
    case "table.set":
      return [`nft add table ${table}${change.owned ? " # flags owner, persist" : ""}`];
    case "table.del":
      return [`nft delete table ${table}`];
    case "set.add":
      return [`nft add set ${table} ${change.set} { type ${change.type}; flags interval; }`];
    case "set.fill": {
      const rest = change.elements.length - shown;
      const words = [...change.elements.slice(0, shown), ...(rest > 0 ? [`… ${rest} more`] : [])];
      const add = words.length === 0 ? [] : [`nft add element ${table} ${change.set} { ${words.join(", ")} }`];
      return [`nft flush set ${table} ${change.set}`, ...add];
    }
    case "set.del":
      return [`nft delete set ${table} ${change.set}`];
    case "chain.set":
      return [`nft add chain ${table} ${change.chain}${printBase(change)}`];
    case "chain.devices.del":
      return [`nft delete chain ${table} ${change.chain}${printBase(change)}`];
    case "chain.fill":
      return [
        `nft flush chain ${table} ${change.chain}`,
        ...change.rules.map((rule) => `nft add rule ${table} ${change.chain} ${printNftRule(rule, change.family)}`),
      ];
    case "chain.del":
      return [`nft delete chain ${table} ${change.chain}`];
  }
}

/** The line of a chain's hook as the plan's own printer has it. */
function printBase(change: Extract<NftChange, { kind: "chain.set" | "chain.devices.del" }>): string {
  if (change.base === null) return "";
  const chain = { name: change.chain, base: change.base, rules: [] };
  const table: NftTable = { family: change.family, name: change.table, owned: false, sets: [], chains: [chain] };
  const line = printNft(table)
    .split("\n")
    .find((l) => l.includes("type "));
  return ` { ${(line ?? "").trim()} }`;
}
