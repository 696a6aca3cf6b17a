// A rule as it is typed: `direct to=192.0.2.0/24,2001:db8::/32 port=443 proto=tcp`. Lists are by comma; what is not understood
// comes back as it was typed.
import { type App, type PolicyRule, ruleSchema } from "../contract/policy.ts";
import { parseName } from "../contract/name.ts";
import { parseAddress, parsePrefix, hostPrefix, type Prefix } from "../contract/prefix.ts";
import { parseApp, parseUser } from "./explain.ts";

export type ParsedRule =
  { readonly ok: true; readonly value: PolicyRule } | { readonly ok: false; readonly word: string };

export function parseRule(
  lane: string,
  words: readonly string[],
  name: string | undefined,
  others: readonly PolicyRule[],
): ParsedRule {
  const match: Record<string, unknown> = {};
  for (const word of words) {
    const [key = "", text = ""] = split(word);
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    const value = field?.read(text.split(",").filter((part) => part !== "")) ?? null;
    if (field === undefined || value === null || field.name in match) return { ok: false, word };
    match[field.name] = value;
  }
  if (words.length === 0) return { ok: false, word: lane };
  const taken = new Set(others.map((rule) => rule.id));
  let number = others.length + 1;
  while (taken.has(`rule-${number}`)) number += 1;
  const parsed = ruleSchema.safeParse({
    id: `rule-${number}`,
    name: name ?? words.join(" ").slice(0, 120),
    match,
    lane,
  });
  if (parsed.success) return { ok: true, value: parsed.data };
  const at = parsed.error.issues[0]?.path ?? [];
  return { ok: false, word: at[0] === "lane" ? lane : words.join(" ") };
}

interface Field {
  readonly name: string;
  /** null: not understood */
  readonly read: (parts: readonly string[]) => unknown;
}

const fields: Readonly<Record<string, Field>> = {
  to: { name: "destination", read: (parts) => all(parts, prefixOf) },
  from: { name: "source", read: (parts) => all(parts, prefixOf) },
  list: { name: "lists", read: (parts) => (parts.length === 0 ? null : [...parts]) },
  name: { name: "names", read: (parts) => all(parts, (part) => parseName(part) ?? null) },
  app: { name: "apps", read: (parts) => all(parts, (part): App | null => parseApp(part)) },
  user: { name: "users", read: (parts) => all(parts, parseUser) },
  proto: { name: "protocol", read: ([one, ...more]) => (one === undefined || more.length > 0 ? null : one) },
  port: { name: "ports", read: (parts) => all(parts, portsOf) },
};

function all<T>(parts: readonly string[], read: (part: string) => T | null): T[] | null {
  const values = parts.map(read);
  const known = values.filter((value): value is NonNullable<typeof value> => value !== null);
  return known.length === values.length && known.length > 0 ? known : null;
}

/** A prefix, or one address. */
function prefixOf(text: string): Prefix | null {
  const address = parseAddress(text);
  return address === undefined ? (parsePrefix(text) ?? null) : hostPrefix(address);
}

function portsOf(text: string): { from: number; to: number } | null {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return null;
  const from = Number(match[1]);
  return { from, to: match[2] === undefined ? from : Number(match[2]) };
}

function split(word: string): string[] {
  const at = word.indexOf("=");
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}
