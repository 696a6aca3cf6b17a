// Our nft tables: read, and changed in one transaction. Everything of them is read anew each time but the elements of large
// sets. The kernel lists an interval set in quadratic time (it goes through all of it again for every 32 KiB, nf_tables_api.c,
// nft_rbtree_walk: 2.5 s for 100,000 prefixes), so these are known by the ruleset's generation, which every commit, whoever's,
// makes one higher: what was read at a generation, or written by the one commit since, is what is there. A transaction names
// the generation that it was made for, and the kernel refuses it at any other. A table that is owned by our socket is changed
// by nobody else at all (5.1), whatever generation others bring about.
import type { Prefix } from "../contract/prefix.ts";
import type { NftTable } from "../plan/nft.ts";
import type { Failure, Native, NftChange } from "./native.ts";
import type { HaveTable } from "./nft-changes.ts";
import { asked, readTables, type Sockets } from "./read.ts";

export interface Tables {
  read(): readonly HaveTable[];
  /**
   * As Native's; ERESTART: somebody else changed the ruleset since it was read, and nothing was done. `send`: who does more
   * at the same time.
   */
  change(changes: readonly NftChange[], send?: Send): readonly Failure[];
}

export type Send = (changes: readonly NftChange[], generation?: number) => readonly Failure[];

/** A set's elements by its name, of each table. */
export type KnownSets = ReadonlyMap<string, ReadonlyMap<string, readonly Prefix[]>>;

/** From here on listing takes longer than all the rest of a table. */
export const large = 2048;
/** Others' commits between two looks at the generation; who commits without end is not waited for. */
const attempts = 10;

interface Known {
  readonly generation: number;
  /** All of them are owned by our socket. */
  readonly mine: boolean;
  readonly sets: KnownSets;
}

export function openTables(native: Native, sockets: Sockets): Tables {
  const port = native.netlinkPort(sockets.nft);
  let known: Known | null = null;
  const generationNow = (): number => asked("reading", "nftables", () => native.nftGeneration(sockets.nft));
  const readAt = (generation: number): readonly HaveTable[] =>
    readTables(native, sockets, (listed) => {
      const stands = known?.generation === generation || listed.owner === port;
      return stands ? known?.sets.get(keyOf(listed)) : undefined;
    });
  return {
    read() {
      for (let attempt = 1; ; attempt++) {
        const generation = generationNow();
        const tables = readAt(generation);
        const mine = tables.length > 0 && tables.every(({ listed }) => listed.owner === port);
        const still = mine || generationNow() === generation;
        known = still ? { generation, mine, sets: new Map(tables.map((t) => [keyOf(t), largeOf(t)])) } : null;
        if (still || attempt === attempts) return tables;
      }
    },
    change(changes, send = (list, at) => native.nftApply(sockets.nft, list, at)) {
      const before = known;
      const failures = send(changes, before?.mine === false ? before.generation : undefined);
      if (failures.length > 0) return failures;
      const generation = generationNow();
      // of what others may change only what was written by the one commit since
      const sure = before !== null && (before.mine || generation === after(before.generation));
      known = sure ? { ...before, generation, sets: done(before.sets, changes) } : null;
      return failures;
    },
  };
}

const keyOf = ({ family, name }: { family: string; name: string }): string => `${family} ${name}`;

/** A generation is never 0 (nf_tables_commit). */
const after = (generation: number): number => (generation === 0xffff_ffff ? 1 : generation + 1);

function largeOf(table: NftTable | HaveTable): ReadonlyMap<string, readonly Prefix[]> {
  return new Map(table.sets.flatMap(({ name, elements }) => (elements.length < large ? [] : [[name, elements]])));
}

/** The sets after these changes. */
function done(sets: KnownSets, changes: readonly NftChange[]): KnownSets {
  const now = new Map([...sets].map(([table, known]) => [table, new Map(known)]));
  for (const change of changes) {
    const table = keyOf({ family: change.family, name: change.table });
    if (change.kind === "table.del") now.delete(table);
    if (change.kind !== "set.fill" && change.kind !== "set.del") continue;
    const mine = now.get(table) ?? new Map<string, readonly Prefix[]>();
    now.set(table, mine);
    if (change.kind === "set.fill" && change.elements.length >= large) mine.set(change.set, change.elements);
    else mine.delete(change.set);
  }
  return now;
}
