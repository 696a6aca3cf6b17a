import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  addressSchema,
  covers,
  familyOf,
  hostPrefix,
  lengthOf,
  networkOf,
  overlaps,
  parseAddress,
  parseInterfaceAddress,
  parsePrefix,
  prefixSchema,
  printAddress,
  rangeOf,
} from "./prefix.ts";
import type { Address, Prefix } from "./prefix.ts";

describe("addresses", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["::ffff:192.0.2.1", "::ffff:c000:201"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ])("%s is kept as %s, the one form of RFC 5952", (text, canonical) => {
    expect(parseAddress(text)).toBe(canonical);
  });

  test.each([
    ..."|1|1.2.3|1.2.3.4.5|256.0.0.1|01.2.3.4|1.2.3.4 | 1.2.3.4|1.2.3.-4|0x7f.0.0.1|localhost|1.2.3.4/24".split("|"),
    ..."fe80::1%eth0|:::|1::2::3|12345::|g::1|2001:db8::1/64|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|::1.2.3|::256.1.1.1".split(
      "|",
    ),
  ])("%j is no address", (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(addressSchema.safeParse(text).success).toBe(false);
  });

  test("what is printed is parsed back, all over both families", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4 as const, 6 as const),
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        (family, bits) => {
          const value = family === 4 ? bits >> 96n : bits;
          const text = printAddress(family, value);
          expect(parseAddress(text)).toBe(text);
          expect(familyOf(text)).toBe(family);
          expect(rangeOf(text)).toEqual({ family, first: value, last: value });
        },
      ),
    );
  });
});

describe("prefixes", () => {
  test.each([
    ["192.0.2.7/24", "192.0.2.0/24"],
    ["192.0.2.7", "192.0.2.7/32"],
    ["255.255.255.255/0", "0.0.0.0/0"],
    ["2001:db8:ffff::1/33", "2001:db8:8000::/33"],
    ["2001:db8::1", "2001:db8::1/128"],
    ["ffff::/0", "::/0"],
  ])("host bits of %s are cleared: %s", (text, canonical) => {
    expect(parsePrefix(text)).toBe(canonical);
  });

  test.each([
    "1.2.3.4/33",
    "1.2.3.4/-1",
    "1.2.3.4/",
    "1.2.3.4/08",
    "1.2.3.4/8/8",
    "1.2.3.4/ 8",
    "::/129",
    "::/1e1",
    "/8",
  ])("%j is no prefix", (text) => {
    expect(parsePrefix(text)).toBeUndefined();
    expect(prefixSchema.safeParse(text).success).toBe(false);
  });

  test("an interface address keeps its host bits and knows its network", () => {
    const address = parseInterfaceAddress("10.8.0.2/24");
    if (address === undefined) throw new Error("refused");
    expect([address, networkOf(address), lengthOf(address)]).toEqual(["10.8.0.2/24", "10.8.0.0/24", 24]);
  });

  test("covers and overlaps say what the ranges say", () => {
    fc.assert(
      fc.property(anyPrefix, anyPrefix, (one, other) => {
        const [a, b] = [rangeOf(one), rangeOf(other)];
        const same = a.family === b.family;
        expect(covers(one, other)).toBe(same && a.first <= b.first && b.last <= a.last);
        expect(overlaps(one, other)).toBe(same && a.first <= b.last && b.first <= a.last);
        // of two prefixes that overlap one covers the other
        expect(overlaps(one, other)).toBe(covers(one, other) || covers(other, one));
        expect(a.last - a.first + 1n).toBe(1n << BigInt((a.family === 4 ? 32 : 128) - lengthOf(one)));
      }),
    );
  });

  test("nothing of one family covers anything of the other", () => {
    expect(covers("0.0.0.0/0" as Prefix, "::1" as Address)).toBe(false);
    expect(covers("::/0" as Prefix, "192.0.2.1" as Address)).toBe(false);
    expect(overlaps("0.0.0.0/0" as Prefix, "::/0" as Prefix)).toBe(false);
  });

  test("a host's prefix has full length", () => {
    expect(hostPrefix("192.0.2.1" as Address)).toBe("192.0.2.1/32");
    expect(hostPrefix("2001:db8::1" as Address)).toBe("2001:db8::1/128");
  });
});

/** Few bits, so that prefixes often meet. */
const anyPrefix: fc.Arbitrary<Prefix> = fc
  .record({ six: fc.boolean(), high: fc.nat(7), length: fc.nat(6) })
  .map(({ six, high, length }) => {
    const text = six ? `${(high << 13).toString(16)}::/${length}` : `${high << 5}.0.0.0/${length}`;
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(text);
    return prefix;
  });
