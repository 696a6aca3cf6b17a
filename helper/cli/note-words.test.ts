import { expect, test } from "vitest";

import { machineCodes, planCodes, ruleCodes, sessionCode } from "../contract/note-codes.ts";
import { type Status, statusSchema } from "../contract/status.ts";
import { wordsFor } from "./words.ts";
import { en } from "./words-en.ts";
import { ru } from "./words-ru.ts";
import { zh } from "./words-zh.ts";

test.each(["en", "ru", "zh"])("%s has a sentence for every notice of the status", (locale) => {
  for (const notice of statusSchema.shape.notices.element.options) {
    const said = wordsFor(locale).status({ ...off, notices: [notice] });
    expect(said.length).toBeGreaterThan(wordsFor(locale).status(off).length + 10);
    expect(said).not.toContain(notice);
    expect(said).not.toMatch(/[{}]/);
  }
});

test.each(Object.entries({ en, ru, zh }))("%s has a sentence for every note", (_, { notes }) => {
  expect(
    [...ruleCodes, ...planCodes, ...machineCodes, sessionCode].filter((code) => notes[code] === undefined),
  ).toEqual([]);
});

const off: Status = {
  ...{ seq: 1, helper: { version: "0", at: 0 }, state: { kind: "off" }, since: 0, host: "h", uplinks: [], direct: [] },
  ...{ ipv6: "open", inside: [], seenAs: { ipv4: null, ipv6: null }, dns: { servers: [], by: "none" }, proof: null },
  ...{ drift: [], notices: [] },
};
