// The three catalogues hold the same sentences, in each language's plural forms, and none that a value can need is missing.
import { expect, test } from "vitest";

import { refusalCodes } from "../../helper/contract/refusal.ts";
import { lockCauses, leakCheckSchema, statusSchema, stepNames } from "../../helper/contract/status.ts";
import { evidenceCodes } from "../view/leaks.ts";
import { noteCodes } from "../view/plan-notes.ts";
import { cannot, sayRefusal } from "../view/refusal.ts";
import { say } from "../view/say.ts";
import en from "./en.json";
import ru from "./ru.json";
import { languageOf, languages, printFigure, speaker, type Language } from "./speak.ts";
import zh from "./zh.json";

const catalogues: Record<Language, object> = { en, ru, zh };
const sources: Record<string, string> = import.meta.glob("../**/*.{ts,tsx}", {
  query: "?raw",
  import: "default",
  eager: true,
});
const plural = /_(zero|one|two|few|many|other)$/;

function flatten(table: object, path = ""): [string, string][] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]): [string, string][] => {
    const at = path === "" ? key : `${path}.${key}`;
    return typeof value === "object" && value !== null ? flatten(value, at) : [[at, String(value)]];
  });
}
const keysOf = (language: Language): string[] => flatten(catalogues[language]).map(([key]) => key);
const has = (key: string): boolean =>
  languages.every((l) => flatten(catalogues[l]).some(([k]) => k.replace(plural, "") === key));

test("all three languages have the same sentences", () => {
  const stems = (language: Language): string[] =>
    [...new Set(keysOf(language).map((key) => key.replace(plural, "")))].sort();
  expect(stems("ru")).toEqual(stems("en"));
  expect(stems("zh")).toEqual(stems("en"));
});

test.each(languages)("every counted sentence has just the plural forms that %s has", (language) => {
  const forms = new Set(new Intl.PluralRules(language).resolvedOptions().pluralCategories);
  const counted = new Map<string, Set<string>>();
  for (const key of keysOf(language)) {
    const form = plural.exec(key)?.[1];
    if (form === undefined) continue;
    const stem = key.replace(plural, "");
    counted.set(stem, (counted.get(stem) ?? new Set()).add(form));
  }
  expect(counted.size).toBeGreaterThan(10);
  for (const [stem, found] of counted) expect([stem, [...found].sort()]).toEqual([stem, [...forms].sort()]);
});

test("a sentence asks for the same data in every language", () => {
  const gaps = (text: string): string[] => [...new Set(text.match(/\{\{\w+\}\}/g) ?? [])].sort();
  const byStem = (language: Language): Map<string, string[]> =>
    new Map(
      flatten(catalogues[language])
        .filter(([key]) => !/_(one|few|many)$/.test(key))
        .map(([key, text]) => [key, gaps(text)]),
    );
  expect(byStem("ru")).toEqual(byStem("en"));
  expect(byStem("zh")).toEqual(byStem("en"));
});

test("every refusal, lock cause, notice, step, check and evidence has a sentence", () => {
  const needed = [
    ...refusalCodes.map((code) => `refusal.${code}`),
    ...lockCauses.map((cause) => `now.locked.${cause}`),
    ...lockCauses.filter((cause) => cause !== "node-silent").map((cause) => `who.locked.${cause}`),
    ...statusSchema.shape.notices.element.options.map((notice) => `notice.${notice}`),
    ...statusSchema.shape.ipv6.options.map((ipv6) => `words.ipv6.${ipv6}`),
    ...stepNames.flatMap((step) => [`step.${step}`, `path.step.${step}`]),
    ...leakCheckSchema.shape.name.options.map((check) => `check.${check}`),
    ...leakCheckSchema.shape.verdict.options.map((verdict) => `verdict.${verdict}`),
    ...evidenceCodes.map((code) => `evidence.${code}`),
    ...noteCodes.map((code) => `note.${code}`),
    ...cannot.map((field) => `cannot.${field}`),
  ];
  expect(needed.filter((key) => !has(key))).toEqual([]);
});

test("every sentence that the window asks for by name is there", () => {
  const asked = new Set<string>();
  for (const [file, text] of Object.entries(sources)) {
    if (file.endsWith(".test.ts")) continue;
    for (const match of text.matchAll(/\b(?:say|word)\(\s*"([\w.-]+)"/g)) asked.add(match[1] ?? "");
  }
  expect(asked.size).toBeGreaterThan(100);
  expect([...asked].filter((key) => !has(key))).toEqual([]);
});

test.each(languages)("no refusal leaves a hole in its sentence in %s", (language) => {
  for (const code of refusalCodes) {
    const text = speaker(language)(sayRefusal({ code, data: {} }));
    expect([code, text.includes("{{"), text === `refusal.${code}`]).toEqual([code, false, false]);
  }
});

test("Russian counts with its own forms", () => {
  const speak = speaker("ru");
  const said = [0, 1, 2, 5, 11, 21, 22, 112, 1001].map((count) => speak(say("now.beside", { count })));
  expect(said).toEqual([
    "0 пакетов мимо",
    "1 пакет мимо",
    "2 пакета мимо",
    "5 пакетов мимо",
    "11 пакетов мимо",
    "21 пакет мимо",
    "22 пакета мимо",
    "112 пакетов мимо",
    "1\u202f001 пакет мимо",
  ]);
});

test("figures have thin spaces between thousands and a comma in Russian", () => {
  expect(printFigure(2_418_332, "en")).toBe("2\u202f418\u202f332");
  expect(printFigure(18.24, "en", 1)).toBe("18.2");
  expect(printFigure(18.24, "ru", 1)).toBe("18,2");
  expect(printFigure(1234.5, "ru", 1)).toBe("1\u202f234,5");
});

test("spans, rates and lists follow the language", () => {
  expect(speaker("en")({ kind: "span", ms: 4_320_000 })).toBe("1 h 12 min");
  expect(speaker("ru")({ kind: "span", ms: 400 })).toBe("0,4 с");
  expect(speaker("zh")({ kind: "span", ms: 14_000 })).toBe("14 秒");
  expect(speaker("en")({ kind: "rate", bytesPerSecond: 2_300_000 })).toBe("18.4 Mbit/s");
  expect(speaker("en")({ kind: "list", parts: ["a", "b", "c"] })).toBe("a, b and c");
  expect(speaker("zh")({ kind: "list", parts: ["甲", "乙"] })).toBe("甲和乙");
  const what = { kind: "list", parts: ["本地网络", "Backup"] } as const;
  expect(speaker("zh")(say("words.all-but", { node: "A", what }))).toContain("只有本地网络和 Backup 直接出去");
  const both = { kind: "list", parts: ["IPv4", "IPv6"] } as const;
  expect(speaker("zh")(say("fact.carries-all", { what: both }))).toBe("所有流量，IPv4 和 IPv6");
});

test("Chinese sentences end in full-width marks", () => {
  const half = flatten(zh).filter(([, text]) => /[\u4e00-\u9fff][.,:;?!]/.test(text));
  expect(half).toEqual([]);
});

test("a desktop's locale chooses the language, an unknown one English", () => {
  expect(["ru_RU.UTF-8", "zh-CN", "de-DE", ""].map(languageOf)).toEqual(["ru", "zh", "en", "en"]);
});
