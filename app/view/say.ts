// What a view function returns in place of a sentence: a key of the catalogue with its data, still in no language.
// Parts keep their kind (a span of time, a rate, a list), because units, marks and joints differ by language.
export type Part =
  | string
  | number
  | Say
  | { readonly kind: "span"; readonly ms: number }
  | { readonly kind: "clock"; readonly at: number; readonly seconds: boolean }
  | { readonly kind: "ms"; readonly ms: number; readonly digits: 0 | 1 }
  | { readonly kind: "rate"; readonly bytesPerSecond: number }
  | { readonly kind: "percent"; readonly ratio: number }
  | { readonly kind: "list"; readonly parts: readonly Part[] };

/** `count` in the data chooses the plural form; the sentence shows it as {{n}}. */
export interface Say {
  readonly kind: "say";
  readonly key: string;
  readonly data: Readonly<Record<string, Part>>;
}

export type Speak = (part: Part) => string;

export function say(key: string, data: Readonly<Record<string, Part>> = {}): Say {
  return { kind: "say", key, data };
}

export const span = (ms: number): Part => ({ kind: "span", ms: Math.max(0, ms) });
/** How long ago: never a fraction of a second. */
export const age = (ms: number): Part => span(Math.max(1000, ms));
export const clock = (at: number, seconds = false): Part => ({ kind: "clock", at, seconds });
export const ms = (value: number, digits: 0 | 1 = 0): Part => ({ kind: "ms", ms: value, digits });
export const rate = (bytesPerSecond: number): Part => ({ kind: "rate", bytesPerSecond });
export const percent = (ratio: number): Part => ({ kind: "percent", ratio });
export const list = (parts: readonly Part[]): Part => ({ kind: "list", parts });
