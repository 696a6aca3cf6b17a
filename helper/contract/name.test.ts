import { domainToASCII } from "node:url";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { andAbove, claims, coversName, parseName } from "./name.ts";

describe("a name", () => {
  test.each([
    ["Example.COM.", "example.com"],
    ["*.Example.com", "*.example.com"],
    ["_dmarc.example.com", "_dmarc.example.com"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["пример。рф", "xn--e1afmkfd.xn--p1ai"],
    ["例子.测试", "xn--fsqu00a.xn--0zwm56d"],
    ["localhost", "localhost"],
  ])("%s is written %s", (text, name) => {
    expect(parseName(text)).toBe(name);
  });
  test.each([
    ...["", ".", "*.", "a..b", "-a.b", "a-.b", "192.0.2.1", "a.1", "a b", "*", "a.*.b", "2001:db8::1", "a/b"],
    ...["a".repeat(64), `${"a.".repeat(127)}ab`],
  ])("%s is none", (text) => {
    expect(parseName(text)).toBeUndefined();
  });
  test("of other scripts is asked for as the platform would ask", () => {
    const letters = fc.constantFrom(...Array.from("abzяжщёüß例漢字あ한글אبα-9"));
    fc.assert(
      fc.property(fc.array(letters, { minLength: 1, maxLength: 12 }), (chars) => {
        const label = chars.join("");
        // ß is one of four letters that the platform's older tables map away
        fc.pre(!label.includes("ß") && !/^-|-$|^..--/.test(label));
        const theirs = domainToASCII(`${label}.example`);
        fc.pre(theirs !== "");
        expect(parseName(`${label}.example`)).toBe(theirs);
      }),
    );
  });
});

describe("what a policy writes", () => {
  test("means the name and those below it, with a star only those below", () => {
    expect(claims("example.com", "example.com")).toBe(true);
    expect(claims("example.com", "www.example.com")).toBe(true);
    expect(claims("example.com", "notexample.com")).toBe(false);
    expect(claims("*.example.com", "example.com")).toBe(false);
    expect(claims("*.example.com", "a.b.example.com")).toBe(true);
  });
  test("covers what means less", () => {
    expect(coversName("example.com", "*.example.com")).toBe(true);
    expect(coversName("*.example.com", "*.example.com")).toBe(true);
    expect(coversName("*.example.com", "www.example.com")).toBe(true);
    expect(coversName("*.example.com", "example.com")).toBe(false);
    expect(coversName("www.example.com", "example.com")).toBe(false);
  });
  test("is looked for from the longest name up", () => {
    expect(andAbove("a.b.c")).toEqual(["a.b.c", "b.c", "c"]);
  });
});
