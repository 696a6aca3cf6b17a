// Catalogue and language → sentences. i18next chooses the plural form and fills in the data; figures, spans of time,
// rates and lists are printed here, by each language's own rules: thin space between thousands, decimal comma in
// Russian. Data values are plain text, never markup.
import { createInstance } from "i18next";

import type { Say, Speak } from "../view/say.ts";
import en from "./en.json";
import ru from "./ru.json";
import zh from "./zh.json";

export const languages = ["en", "ru", "zh"] as const;
export type Language = (typeof languages)[number];

/** The catalogue's best language for a desktop's locale, e.g. `ru_RU.UTF-8`. */
export function languageOf(locale: string): Language {
  const short = locale.slice(0, 2).toLowerCase();
  return languages.find((language) => language === short) ?? "en";
}

const catalogue = createInstance();
void catalogue.init({
  resources: { en: { translation: en }, ru: { translation: ru }, zh: { translation: zh } },
  lng: "en",
  fallbackLng: false,
  initAsync: false,
  // React escapes; escaping twice would show entities
  interpolation: { escapeValue: false },
  returnNull: false,
});

const lists: Record<Language, Intl.ListFormat> = {
  en: new Intl.ListFormat("en-GB", { type: "conjunction" }),
  ru: new Intl.ListFormat("ru", { type: "conjunction" }),
  zh: new Intl.ListFormat("zh", { type: "conjunction" }),
};

/** U+202F, the thin space that no line breaks at. */
const thin = "\u202f";

export function speaker(language: Language): Speak {
  const speak: Speak = (part) => {
    if (typeof part === "string") return part;
    if (typeof part === "number") return printFigure(part, language);
    switch (part.kind) {
      case "say":
        return sentence(part);
      case "span":
        return printSpan(part.ms);
      case "clock":
        return printClock(part.at, part.seconds);
      case "ms":
        return unit("ms", printFigure(part.ms, language, part.digits));
      case "rate":
        return printRate(part.bytesPerSecond);
      case "percent":
        return unit("percent", printFigure(Math.round(part.ratio * 100), language));
      case "list":
        return language === "zh" ? hanList(part.parts.map(speak)) : lists[language].format(part.parts.map(speak));
    }
  };
  const sentence = (say: Say): string => {
    const data: Record<string, string | number> = {};
    for (const [name, part] of Object.entries(say.data)) data[name] = name === "count" ? Number(part) : speak(part);
    if ("count" in data) data["n"] = printFigure(Number(data["count"]), language);
    const text = catalogue.t(say.key, { ...data, lng: language });
    // a list's own space is none after a full-width mark, nor at either end
    return language === "zh" ? text.replace(/([，。：；、“（]) /g, "$1").trim() : text;
  };
  const unit = (name: string, n: string): string => catalogue.t(`unit.${name}`, { n, lng: language });
  const printSpan = (ms: number): string => {
    if (ms < 950) return unit("s", printFigure(ms / 1000, language, 1));
    const seconds = Math.round(ms / 1000);
    if (seconds < 60) return unit("s", String(seconds));
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return unit("min", String(minutes));
    const hours = Math.floor(minutes / 60);
    if (hours < 24) return pair(unit("h", String(hours)), minutes % 60, "min");
    return pair(unit("d", printFigure(Math.floor(hours / 24), language)), hours % 24, "h");
  };
  const pair = (first: string, rest: number, name: string): string =>
    rest === 0 ? first : `${first} ${unit(name, String(rest))}`;
  const printRate = (bytesPerSecond: number): string => {
    const bits = bytesPerSecond * 8;
    if (bits >= 1e9) return unit("gbit", printFigure(bits / 1e9, language, 2));
    if (bits >= 1e6) return unit("mbit", printFigure(bits / 1e6, language, 1));
    return unit("kbit", printFigure(bits / 1e3, language, 0));
  };
  return speak;
}

/** 2418332 → `2 418 332`, 18.24 with one digit → `18.2`, in Russian `18,2`. */
export function printFigure(value: number, language: Language, digits?: number): string {
  const text = digits === undefined ? String(Math.round(value * 1000) / 1000) : value.toFixed(digits);
  const [whole = "", fraction] = text.replace("-", "−").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, thin);
  return fraction === undefined ? grouped : `${grouped}${language === "ru" ? "," : "."}${fraction}`;
}

/** Between Han and Latin letters stands a space, within the list and beside it. */
function hanList(parts: readonly string[]): string {
  const spaced = lists.zh
    .format(parts)
    .replace(/(?<=[\w)])(?=和|、)|(?<=和)(?=\w)/g, " ")
    .replace(/ 、/g, "、");
  return spaced.replace(/^(?=\w)|(?<=\w)$/g, " ");
}

function printClock(at: number, seconds: boolean): string {
  const when = new Date(at);
  const two = (n: number): string => String(n).padStart(2, "0");
  const time = `${two(when.getHours())}:${two(when.getMinutes())}`;
  return seconds ? `${time}:${two(when.getSeconds())}` : time;
}
