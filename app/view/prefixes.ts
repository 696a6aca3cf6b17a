// Networks as a person types them, one a line or with commas, parsed as the helper parses them.
import { parsePrefix, type Prefix } from "../../helper/contract/prefix.ts";
import { say, type Say } from "./say.ts";

/** As many as one rule may list by hand; the contract takes a million, from files. */
const most = 10_000;

export type Parsed =
  { readonly ok: true; readonly prefixes: readonly Prefix[] } | { readonly ok: false; readonly say: Say };

export function parsePrefixes(text: string): Parsed {
  const prefixes = new Set<Prefix>();
  for (const [index, line] of text.split("\n").entries()) {
    for (const word of line.split(/[\s,;]+/).filter(Boolean)) {
      const prefix = parsePrefix(word);
      if (prefix === undefined)
        return { ok: false, say: say("rule.bad", { line: index + 1, text: word.slice(0, 80) }) };
      prefixes.add(prefix);
    }
  }
  if (prefixes.size === 0) return { ok: false, say: say("rule.empty") };
  if (prefixes.size > most) return { ok: false, say: say("rule.too-many", { count: most }) };
  return { ok: true, prefixes: [...prefixes] };
}
