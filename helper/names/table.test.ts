import { describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { floorMs, graceMs, mostAddresses, mostNames, nameTable } from "./table.ts";

const one = "192.0.2.1" as Address;
const two = "192.0.2.2" as Address;
const all = () => true;
const nobody = new Set<string>();

describe("an address of a name", () => {
  test("counts for as long as its answer says, and a grace", () => {
    const table = nameTable();
    table.learn("a.example", [{ address: one, ttl: 3600 }], 0);
    expect(table.expire(3_600_000 + graceMs - 1, nobody)).toBe(false);
    expect(table.expire(3_600_000 + graceMs, nobody)).toBe(true);
    expect(table.facts(all)).toEqual([]);
  });
  test("counts a minute at least, for programs keep it so long", () => {
    const table = nameTable();
    table.learn("a.example", [{ address: one, ttl: 0 }], 0);
    expect(table.nextEnd()).toBe(floorMs + graceMs);
  });
  test("stays while somebody talks to it", () => {
    const table = nameTable();
    table.learn("a.example", [{ address: one, ttl: 1 }], 0);
    table.learn("a.example", [{ address: two, ttl: 1 }], 0);
    table.expire(1e9, new Set([one]));
    expect(table.facts(all)).toEqual([{ name: "a.example", addresses: [one] }]);
  });
  test("is kept by a newer answer, and never shortened by one", () => {
    const table = nameTable();
    expect(table.learn("a.example", [{ address: one, ttl: 7200 }], 0)).toBe(true);
    expect(table.learn("a.example", [{ address: one, ttl: 1 }], 1000)).toBe(false);
    expect(table.nextEnd()).toBe(7_200_000 + graceMs);
  });
});

describe("the table", () => {
  test("is bounded in names and in addresses; what ends first goes first", () => {
    const table = nameTable();
    const many = Array.from({ length: mostAddresses + 1 }, (_, i) => ({
      address: `2001:db8::${i + 1}` as Address,
      ttl: i,
    }));
    for (const found of many) table.learn("pool.example", [found], 0);
    expect(table.facts(all)[0]?.addresses).toHaveLength(mostAddresses);
    for (let i = 0; i < mostNames; i += 1) table.learn(`${i}.example`, [{ address: one, ttl: 9000 }], 0);
    expect(table.facts(all)).toHaveLength(mostNames);
    expect(table.facts((name) => name === "pool.example")).toEqual([]);
  });
  test("says the same with the same array, so that nobody proves twice", () => {
    const table = nameTable();
    table.learn("a.example", [{ address: one, ttl: 9 }], 0);
    const first = table.facts((name) => name.startsWith("a"));
    table.learn("b.example", [{ address: two, ttl: 9 }], 0);
    table.learn("a.example", [{ address: one, ttl: 99 }], 5);
    expect(table.facts((name) => name.startsWith("a"))).toBe(first);
    table.learn("a.example", [{ address: two, ttl: 9 }], 0);
    expect(table.facts((name) => name.startsWith("a"))).not.toBe(first);
  });
  test("knows who shares an address", () => {
    const table = nameTable();
    table.learn("a.example", [{ address: one, ttl: 9 }], 0);
    table.learn("b.example", [{ address: one, ttl: 9 }], 0);
    expect(table.sharing(one, "a.example")).toEqual(["b.example"]);
  });
  test("outlives its helper but not its ends", () => {
    const table = nameTable();
    table.learn("a.example", [{ address: one, ttl: 9 }], 0);
    table.learn("b.example", [{ address: two, ttl: 9000 }], 0);
    const next = nameTable();
    next.restore(table.entries(), floorMs + graceMs);
    expect(next.facts(all)).toEqual([{ name: "b.example", addresses: [two] }]);
  });
});
