// A rule as a person fills it in, and back: fields of text on one side, the contract's match on the other. A word that is
// nothing of its kind is named with its line; a field that is left empty matches everything.
import type { App, Lane, PolicyMatch, PolicyRule, PortRange } from "../../helper/contract/policy.ts";
import { type Name, parseName } from "../../helper/contract/name.ts";
import { parsePrefixes } from "./prefixes.ts";
import { say, type Say } from "./say.ts";

export type Protocol = "any" | NonNullable<PolicyMatch["protocol"]>;
export type Field = "apps" | "networks" | "names" | "protocol" | "ports" | "users" | "source";

export interface RuleForm {
  readonly name: string;
  readonly lane: Lane;
  readonly apps: readonly App[];
  readonly networks: string;
  readonly names: string;
  readonly protocol: Protocol;
  readonly ports: string;
  readonly users: readonly number[];
  readonly source: string;
}

export type Read =
  { readonly ok: true; readonly match: PolicyMatch } | { readonly ok: false; readonly field: Field; readonly say: Say };

export function formOf(rule: PolicyRule | null, lane: Lane): RuleForm {
  const match = rule?.match ?? {};
  return {
    name: rule?.name ?? "",
    lane: rule?.lane ?? lane,
    apps: match.apps ?? [],
    networks: (match.destination ?? []).join("\n"),
    names: (match.names ?? []).join("\n"),
    protocol: match.protocol ?? "any",
    ports: (match.ports ?? []).map(printPorts).join(", "),
    users: match.users ?? [],
    source: (match.source ?? []).join("\n"),
  };
}

/** Fields in the order of the form: the first that cannot be read is told. */
export function readForm(form: RuleForm): Read {
  const match: PolicyMatch = {};
  if (form.apps.length > 0) match.apps = [...form.apps];
  if (form.networks.trim() !== "") {
    const read = parsePrefixes(form.networks);
    if (!read.ok) return { ok: false, field: "networks", say: read.say };
    match.destination = [...read.prefixes];
  }
  if (form.names.trim() !== "") {
    const read = parseNames(form.names);
    if (!read.ok) return { ok: false, field: "names", say: read.say };
    match.names = [...read.names];
  }
  if (form.protocol !== "any") match.protocol = form.protocol;
  if (form.ports.trim() !== "") {
    const read = parsePorts(form.ports);
    if (!read.ok) return { ok: false, field: "ports", say: read.say };
    if (form.protocol === "icmp") return { ok: false, field: "ports", say: say("rule.icmp-ports") };
    match.ports = [...read.ports];
  }
  if (form.users.length > 0) match.users = [...form.users];
  if (form.source.trim() !== "") {
    const read = parsePrefixes(form.source);
    if (!read.ok) return { ok: false, field: "source", say: read.say };
    match.source = [...read.prefixes];
  }
  if (Object.keys(match).length === 0) return { ok: false, field: "networks", say: say("rule.empty") };
  return { ok: true, match };
}

export const printPorts = ({ from, to }: PortRange): string =>
  from === to ? String(from) : `${String(from)}–${String(to)}`;

type Ports = { readonly ok: true; readonly ports: readonly PortRange[] } | { readonly ok: false; readonly say: Say };

export function parsePorts(text: string): Ports {
  const ports: PortRange[] = [];
  for (const word of text
    .replace(/\s*[-–—]\s*/g, "-")
    .split(/[\s,;]+/)
    .filter(Boolean)) {
    const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(word);
    const from = Number(found?.[1]);
    const to = Number(found?.[2] ?? found?.[1]);
    if (found === null || to > 65_535 || from > to)
      return { ok: false, say: say("rule.bad-port", { text: word.slice(0, 80) }) };
    ports.push({ from, to });
  }
  if (ports.length > mostPorts) return { ok: false, say: say("rule.too-many-ports", { count: mostPorts }) };
  return { ok: true, ports };
}

/** As many as the contract takes. */
const mostPorts = 64;
type Names = { readonly ok: true; readonly names: readonly Name[] } | { readonly ok: false; readonly say: Say };

function parseNames(text: string): Names {
  const names = new Set<Name>();
  for (const [index, line] of text.split("\n").entries()) {
    for (const word of line.split(/[\s,;]+/).filter(Boolean)) {
      const name = parseName(word);
      if (name === undefined)
        return { ok: false, say: say("rule.bad-name", { line: index + 1, text: word.slice(0, 80) }) };
      names.add(name);
    }
  }
  return { ok: true, names: [...names] };
}
