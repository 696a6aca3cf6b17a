import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { parsePrefix } from "../contract/prefix.ts";
import { listReader, mostPrefixes, readPrefix, shownBad } from "./prefix-list.ts";

describe("a list of prefixes", () => {
  test("is read line by line, comments and empty lines aside, overlaps merged", () => {
    const reader = listReader();
    reader.push("# mine\n10.0.0.0/8 ; all of it\r\n\n10.1.0.0/16\n2001:DB8::/33\n2001:db8:80");
    reader.push("00::/33\n192.0.2.7");
    expect(whole(reader.end())).toMatchObject({
      ...{ lines: 7, read: 5, badLines: 0, tooMany: false },
      set: { 4: ["10.0.0.0/8", "192.0.2.7/32"], 6: ["2001:db8::/32"] },
    });
  });
  test("with lines of nonsense counts for nothing, and says which", () => {
    const reader = listReader();
    reader.push("10.0.0.0/8\nhello\n10.0.0.0/33\n");
    expect(whole(reader.end())).toMatchObject({
      badLines: 2,
      bad: [
        { line: 2, text: "hello" },
        { line: 3, text: "10.0.0.0/33" },
      ],
      set: { 4: [], 6: [] },
    });
  });
  test("of nothing but nonsense, or without any line's end, stays small", () => {
    const reader = listReader();
    for (let i = 0; i < 2000; i += 1) reader.push("x".repeat(5000));
    reader.push("\n" + "y\n".repeat(1000));
    const { bad, badLines } = whole(reader.end());
    expect([bad.length, badLines]).toEqual([shownBad, 1001]);
    expect(bad[0]?.text.length).toBe(80);
  });
  test("has at most a million", () => {
    const reader = listReader();
    for (let i = 0; i < 11; i += 1) reader.push("192.0.2.1\n".repeat(mostPrefixes / 10));
    expect(whole(reader.end())).toMatchObject({ tooMany: true, set: { 4: [], 6: [] } });
  });
});

describe("one line of it", () => {
  const hex = fc.stringMatching(/^[0-9a-fA-F]{0,5}$/);
  const six = fc.array(hex, { maxLength: 9 }).map((parts) => parts.join(":"));
  const dotted = fc.array(fc.oneof(fc.nat(300).map(String), fc.constant("01")), { minLength: 3, maxLength: 5 });
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    six,
    dotted.map((d) => d.join(".")),
    six.map((s) => `${s}:1.2.3.4`),
  );
  const text = fc.tuple(
    address,
    fc.oneof(
      fc.constant(""),
      fc.nat(130).map((n) => `/${n}`),
      fc.constant("/"),
      fc.constant("/08"),
    ),
  );
  test("is what the slow twin says", () => {
    fc.assert(
      fc.property(text, ([a, length]) => {
        expect(readPrefix(a + length), a + length).toBe(parsePrefix(a + length));
      }),
      { numRuns: 20_000 },
    );
  });
});

function whole<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}
