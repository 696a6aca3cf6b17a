// The sweep against the slow, obvious twin: ip-num parsing and one `covers` after the other.
import fc from "fast-check";
import { expect, test } from "vitest";

import {
  covers,
  lengthOf,
  parsePrefix,
  printAddress,
  rangeOf,
  type Address,
  type Family,
  type Prefix,
} from "../contract/prefix.ts";
import { spaceBuilder, type Space } from "./prefixes.ts";
import { parsePrefixWords, valueOf } from "./words.ts";

const seed = Number(process.env.SEED ?? 7);
const run = { seed, numRuns: 300 };

test("the quick parser reads what ip-num reads", () => {
  fc.assert(
    fc.property(anyPrefix(), (prefix) => {
      const words = new Uint32Array(6).fill(7);
      expect(parsePrefixWords(prefix, words, 1)).toBe(lengthOf(prefix));
      const { family, first } = rangeOf(prefix);
      const end = family === 4 ? 2 : 5;
      expect(valueOf(family, words.slice(1, end))).toBe(first);
      expect([words[0], words[end]]).toEqual([7, 7]);
    }),
    run,
  );
});

test.each(["::", "::1", "1::", "::ffff:192.0.2.1", "2001:db8::1:0:0:1", "fe80::a:b:c:d"])(
  "the quick parser reads %s",
  (text) => {
    const words = new Uint32Array(4);
    parsePrefixWords(text, words, 0);
    expect(valueOf(6, words)).toBe(rangeOf(text as Address).first);
  },
);

test("every address gets from its class what it gets from the prefixes one by one", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Family>(4, 6),
      fc.array(fc.array(tightPrefix(), { maxLength: 12 }), { maxLength: 5 }),
      (family, sets) => {
        const mine = sets.map((set) => set.map((p) => inFamily(family, p)));
        const { space, groups } = build(family, mine, "member");
        for (const address of edges(family, mine.flat()))
          groups.forEach((group, i) => {
            expect(answer(space, group, address)).toBe(mine[i]?.some((p) => covers(p, address)) === true ? 1 : 0);
          });
      },
    ),
    run,
  );
});

test("a nested group names what covers, the longest prefix first, the later added first among equals", () => {
  fc.assert(
    fc.property(fc.constantFrom<Family>(4, 6), fc.array(tightPrefix(), { maxLength: 20 }), (family, list) => {
      const prefixes = list.map((p) => inFamily(family, p));
      const { space, groups } = build(family, [prefixes], "nested");
      for (const address of edges(family, prefixes)) {
        const slow = prefixes
          .map((prefix, place) => ({ prefix, place }))
          .filter(({ prefix }) => covers(prefix, address))
          .sort((a, b) => lengthOf(b.prefix) - lengthOf(a.prefix) || b.place - a.place);
        expect(space.chain(answer(space, groups[0] ?? 0, address))).toEqual(slow.map((s) => s.place));
      }
    }),
    run,
  );
});

test("a hundred thousand prefixes of one set are two classes, and each class's representative is in it", () => {
  const builder = spaceBuilder(4);
  const group = builder.group("member");
  for (let i = 0; i < 100_000; i++)
    builder.add(group, `${20 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.16/28` as Prefix, 1);
  const space = builder.build();
  expect(space.classes).toBe(2);
  for (let cls = 0; cls < space.classes; cls++) expect(space.locate(space.representative(cls))).toBe(cls);
});

function build(
  family: Family,
  sets: readonly (readonly Prefix[])[],
  kind: "member" | "nested",
): { space: Space; groups: number[] } {
  const builder = spaceBuilder(family);
  const groups = sets.map(() => builder.group(kind));
  sets.forEach((set, i) => {
    set.forEach((prefix, place) => {
      builder.add(groups[i] ?? 0, prefix, kind === "nested" ? place : 1);
    });
  });
  return { space: builder.build(), groups };
}

/** What the class of an address answers; every class must be in exactly one answer. */
function answer(space: Space, group: number, address: Address): number {
  const bit = 1n << BigInt(space.locate(address));
  const found = [...space.answers(group)].filter(([, classes]) => (classes & bit) !== 0n);
  expect(found.length).toBe(1);
  return found[0]?.[0] ?? -1;
}

/** The addresses where something may change: both ends of each prefix, and their neighbours. */
function edges(family: Family, prefixes: readonly Prefix[]): Address[] {
  const last = family === 4 ? (1n << 32n) - 1n : (1n << 128n) - 1n;
  const values = new Set<bigint>([0n, last]);
  for (const prefix of prefixes) {
    const range = rangeOf(prefix);
    for (const at of [range.first - 1n, range.first, range.last, range.last + 1n])
      if (at >= 0n && at <= last) values.add(at);
  }
  return [...values].map((value) => printAddress(family, value));
}

/** Few bits at either end, so that random prefixes nest and touch. */
function tightPrefix(): fc.Arbitrary<{ high: number; low: number; length: number }> {
  return fc.record({ high: fc.nat(3), low: fc.nat(7), length: fc.nat(32) });
}

function inFamily(family: Family, { high, low, length }: { high: number; low: number; length: number }): Prefix {
  const bits = family === 4 ? 32 : 128;
  const value = (BigInt(high) << BigInt(bits - 2)) | (BigInt(low) << BigInt(family === 4 ? 0 : 62));
  const prefix = parsePrefix(`${printAddress(family, value)}/${family === 4 ? length : length * 4}`);
  if (prefix === undefined) throw new Error("made no prefix");
  return prefix;
}

function anyPrefix(): fc.Arbitrary<Prefix> {
  return fc
    .oneof(fc.tuple(fc.ipV4(), fc.nat(32)), fc.tuple(fc.ipV6(), fc.nat(128)))
    .map(([address, length]) => parsePrefix(`${address}/${length}`))
    .filter((prefix) => prefix !== undefined);
}
