import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { covers, familyOf, overlaps, parsePrefix, printAddress, rangeOf } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import { has, inside, prefixSet } from "./prefix-set.ts";

describe("sets of prefixes", () => {
  test("neighbours become one, what is covered goes, order is by address", () => {
    const set = prefixSet(
      list("10.0.1.0/24 192.0.2.0/24 10.0.0.0/24 192.0.2.7/32 10.0.2.0/23 2001:db8::/33 2001:db8:8000::/33"),
    );
    expect(set).toEqual({ 4: ["10.0.0.0/22", "192.0.2.0/24"], 6: ["2001:db8::/32"] });
  });

  test("two halves of everything are everything", () => {
    expect(prefixSet(list("128.0.0.0/1 0.0.0.0/1 8000::/1 ::/1"))).toEqual({ 4: ["0.0.0.0/0"], 6: ["::/0"] });
  });

  test("the fast set says the same as the slow, obvious twin over ip-num", () => {
    fc.assert(
      fc.property(fc.array(anyPrefix, { maxLength: 24 }), fc.array(anyPrefix, { maxLength: 8 }), (prefixes, asked) => {
        const set = prefixSet(prefixes);
        expect(set).toEqual({ 4: slowSet(prefixes, 4), 6: slowSet(prefixes, 6) });
        const all = [...set[4], ...set[6]];
        for (const prefix of asked) {
          expect(has(set, prefix)).toBe(all.some((outer) => covers(outer, prefix)));
          expect(inside(set, prefix)).toEqual(all.filter((inner) => covers(prefix, inner)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test("no two of a set overlap", () => {
    fc.assert(
      fc.property(fc.array(anyPrefix, { maxLength: 30 }), (prefixes) => {
        for (const family of [4, 6] as const) {
          const set = prefixSet(prefixes)[family];
          set.forEach((one, i) => {
            for (const other of set.slice(i + 1)) expect(overlaps(one, other)).toBe(false);
          });
        }
      }),
    );
  });
});

/** Ranges as bigints, sorted and melted, then cut into prefixes from the front: nothing clever. */
function slowSet(prefixes: readonly Prefix[], family: Family): string[] {
  const width = family === 4 ? 32 : 128;
  const ranges = prefixes
    .filter((p) => familyOf(p) === family)
    .map(rangeOf)
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const melted: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of ranges) {
    const before = melted.at(-1);
    if (before !== undefined && first <= before.last + 1n) before.last = last > before.last ? last : before.last;
    else melted.push({ first, last });
  }
  return melted.flatMap(({ first, last }) => {
    const out: string[] = [];
    for (let at = first; at <= last;) {
      let size = 0;
      while (size < width && at % (1n << BigInt(size + 1)) === 0n && at + (1n << BigInt(size + 1)) - 1n <= last)
        size += 1;
      out.push(`${printAddress(family, at)}/${width - size}`);
      at += 1n << BigInt(size);
    }
    return out;
  });
}

const anyPrefix: fc.Arbitrary<Prefix> = fc
  .record({
    six: fc.boolean(),
    head: fc.nat(3),
    tail: fc.nat(31),
    length: fc.constantFrom(0, 1, 2, 27, 28, 29, 30, 31, 32, 128),
  })
  .map(({ six, head, tail, length }) => {
    const text = six ? `${(head << 14).toString(16)}::${tail.toString(16)}` : `${head << 6}.0.0.${tail}`;
    return one(`${text}/${six ? length : Math.min(length, 32)}`);
  });

function one(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(text);
  return prefix;
}

function list(text: string): Prefix[] {
  return text.split(" ").map(one);
}
