// The window's preferences and place, in one JSON file of the user's. A file that is broken or from another version costs
// the preferences in it, never the start.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

import { z } from "zod";

import type { Preferences } from "../preload/bridge.ts";

export const preferencesSchema = z.strictObject({
  theme: z.enum(["system", "light", "dark"]),
  language: z.enum(["system", "en", "ru", "zh"]),
  tray: z.boolean(),
  autostart: z.boolean(),
});

const placeSchema = z.strictObject({
  width: z.int().min(1).max(20_000),
  height: z.int().min(1).max(20_000),
  maximized: z.boolean(),
});
export type Place = z.infer<typeof placeSchema>;

export const defaults: Preferences = { theme: "system", language: "system", tray: true, autostart: false };

export interface Settings {
  preferences(): Preferences;
  change(change: Partial<Preferences>): Preferences;
  place(): Place | undefined;
  keepPlace(place: Place): void;
}

export function openSettings(file: string): Settings {
  const read = readFile(file);
  let preferences = read.preferences;
  let place = read.place;
  const save = (): void => writeAtomically(file, `${JSON.stringify({ preferences, place }, null, 2)}\n`);
  return {
    preferences: () => preferences,
    change(change) {
      preferences = { ...preferences, ...change };
      save();
      return preferences;
    },
    place: () => place,
    keepPlace(next) {
      place = next;
      save();
    },
  };
}

function readFile(file: string): { preferences: Preferences; place: Place | undefined } {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // none yet, or cut short by a full disk
    value = {};
  }
  const shape = z.object({ preferences: z.unknown(), place: z.unknown() }).partial().safeParse(value);
  const given = shape.success ? shape.data : {};
  return { preferences: keepGood(given.preferences), place: placeSchema.safeParse(given.place).data };
}

/** Each preference by itself: one bad value does not cost the others. */
function keepGood(value: unknown): Preferences {
  const given = z.record(z.string(), z.unknown()).safeParse(value).data ?? {};
  const good = Object.entries(given).filter(([name, one]) => {
    const field = Object.hasOwn(preferencesSchema.shape, name)
      ? preferencesSchema.shape[name as keyof Preferences]
      : undefined;
    return field?.safeParse(one).success === true;
  });
  return { ...defaults, ...Object.fromEntries(good) };
}

/** A crash in between leaves the old file whole. */
function writeAtomically(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
