import { expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import type { Native, NftChange } from "./native.ts";
import { openTables, type Tables } from "./tables.ts";

const elements = Array.from({ length: 3000 }, (_, i) => `192.0.${i >> 8}.${i & 255}/32` as Prefix);
const own = { family: "inet", table: "culvert" } as const;
const fill: NftChange = { ...own, kind: "set.fill", set: "direct", type: "ipv4_addr", elements };

test("a large set that was written is not listed again, as long as nobody else wrote anything", () => {
  const { tables, listings } = machine({ owner: null });
  tables.read();
  tables.change([fill]);
  expect(tables.read()[0]?.sets[0]?.elements).toEqual(elements);
  expect(listings()).toBe(0);
});

test("what others wrote makes a large set be listed, once", () => {
  const { tables, listings, othersWrite } = machine({ owner: null });
  tables.read();
  tables.change([fill]);
  othersWrite(elements.slice(1));
  expect(tables.read()[0]?.sets[0]?.elements).toEqual(elements.slice(1));
  tables.read();
  expect(listings()).toBe(1);
});

test("changes made for a ruleset that others changed meanwhile are refused, and what stands is read anew", () => {
  const { tables, othersWrite } = machine({ owner: null });
  tables.read();
  othersWrite(elements.slice(2));
  expect(tables.change([fill])).toMatchObject([{ code: "ERESTART" }]);
  expect(tables.read()[0]?.sets[0]?.elements).toEqual(elements.slice(2));
});

test("a commit of others between ours and the look at the generation leaves nothing known", () => {
  const { tables, listings, othersWrite, afterCommit } = machine({ owner: null });
  tables.read();
  afterCommit(() => {
    othersWrite(elements.slice(3));
  });
  tables.change([fill]);
  expect(tables.read()[0]?.sets[0]?.elements).toEqual(elements.slice(3));
  expect(listings()).toBe(1);
});

test("an owned table is known whatever others write elsewhere", () => {
  const { tables, listings, othersWrite } = machine({ owner: 7 });
  tables.read();
  tables.change([fill]);
  othersWrite(null);
  expect(tables.change([fill])).toEqual([]);
  expect(tables.read()[0]?.sets[0]?.elements).toEqual(elements);
  expect(listings()).toBe(0);
});

/** nftables with one table of ours and one set in it, as far as these questions go. */
function machine({ owner }: { owner: number | null }): {
  readonly tables: Tables;
  readonly listings: () => number;
  readonly othersWrite: (now: readonly Prefix[] | null) => void;
  readonly afterCommit: (work: () => void) => void;
} {
  let generation = 5;
  let standing: readonly Prefix[] = [];
  let listings = 0;
  let then: () => void = () => undefined;
  const native = {
    netlinkPort: () => 7,
    nftGeneration: () => generation,
    nftList: () => [{ family: "inet", name: "culvert", flags: owner === null ? 0 : 6, owner }],
    nftRead(_fd: number, _family: string, _name: string, known: ReadonlyMap<string, readonly Prefix[]> = new Map()) {
      const had = known.get("direct");
      if (had === undefined && standing.length > 0) listings += 1;
      const sets = [{ name: "direct", type: "ipv4_addr", elements: had ?? standing }];
      return { family: "inet", name: "culvert", owned: owner !== null, sets, chains: [] };
    },
    nftApply(_fd: number, changes: readonly NftChange[], at?: number) {
      if (at !== undefined && at !== generation) return [{ index: 0, code: "ERESTART", detail: "" }];
      for (const change of changes) if (change.kind === "set.fill") standing = change.elements;
      generation += 1;
      then();
      return [];
    },
  };
  return {
    tables: openTables(native as unknown as Native, { route: 1, nft: 2 }),
    listings: () => listings,
    /** null: somewhere else than in our table */
    othersWrite(now: readonly Prefix[] | null) {
      generation += 1;
      if (now !== null) standing = now;
    },
    afterCommit(work: () => void) {
      then = work;
    },
  };
}
