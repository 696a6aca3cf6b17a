import { expect, test } from "vitest";

import type { Prefix } from "../contract/prefix.ts";
import type { NftTable } from "../plan/nft.ts";
import { type HaveTable, nftChanges, setsAhead } from "./nft-changes.ts";

const port = 7;
const prefixes = (count: number): Prefix[] => Array.from({ length: count }, (_, i) => `192.0.2.${i}/32` as Prefix);
const table = (elements: readonly Prefix[]): NftTable => ({
  ...{ family: "inet", name: "culvert", owned: true },
  sets: [
    { name: "large", type: "ipv4_addr", elements },
    { name: "small", type: "ipv4_addr", elements: prefixes(1) },
  ],
  chains: [{ name: "output", base: null, rules: [] }],
});
const standing = (of: NftTable, flags = 6): HaveTable => ({
  ...{ family: of.family, name: of.name, owned: of.owned, sets: of.sets },
  chains: [],
  listed: { family: of.family, name: of.name, flags, owner: port },
});
const kinds = (have: readonly HaveTable[], wanted = table(prefixes(9))) =>
  setsAhead(nftChanges([wanted], have, port), 5).map((c) => ("set" in c ? `${c.kind} ${c.set}` : c.kind));

test("large sets that are not there are filled ahead, with the table they need, and nothing else of it", () => {
  expect(kinds([])).toEqual(["table.set", "set.add large", "set.fill large"]);
});

test("a set that is there may be asked by a chain: it changes with the chains", () => {
  expect(kinds([standing(table(prefixes(8)))])).toEqual([]);
});

test("a table that is made anew is made with its chains, in one transaction", () => {
  expect(
    kinds([{ ...standing({ ...table([]), sets: [] }), listed: { ...standing(table([])).listed, flags: 0 } }]),
  ).toEqual([]);
});

test("nothing large, nothing ahead", () => {
  expect(kinds([], table(prefixes(4)))).toEqual([]);
});
