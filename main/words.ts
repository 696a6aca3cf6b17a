// The tray's and the notifications' sentences, out of the window's own catalogues: no sentence is written twice.
import en from "../app/words/en.json" with { type: "json" };
import ru from "../app/words/ru.json" with { type: "json" };
import zh from "../app/words/zh.json" with { type: "json" };
import type { Preferences } from "../preload/bridge.ts";
import type { Say } from "./tray-menu.ts";

const catalogues = { en, ru, zh };

/** `locale` is the desktop's, asked only when the preference is "system". */
export function sayer(language: Preferences["language"], locale: string): Say {
  const chosen = language === "system" ? languageOf(locale) : language;
  return (key, data = {}) => {
    const found = key
      .split(".")
      .reduce<unknown>((at, part) => (isTable(at) ? at[part] : undefined), catalogues[chosen]);
    // a missing sentence shows its key: seen at once, and the catalogue's test finds it before
    if (typeof found !== "string") return key;
    return found.replace(/\{\{(\w+)\}\}/g, (whole, name: string) => data[name] ?? whole);
  };
}

function languageOf(locale: string): keyof typeof catalogues {
  const short = locale.slice(0, 2).toLowerCase();
  return short === "ru" || short === "zh" ? short : "en";
}

const isTable = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
