import { expect, test } from "vitest";

import { ruleCodes } from "../policy/lint-rules.ts";
import { en } from "./words-en.ts";
import { ru } from "./words-ru.ts";
import { zh } from "./words-zh.ts";

test.each(Object.entries({ en, ru, zh }))("%s has a sentence for everything that is odd in rules", (_, { notes }) => {
  expect([...ruleCodes, "session.cut"].filter((code) => notes[code] === undefined)).toEqual([]);
});
