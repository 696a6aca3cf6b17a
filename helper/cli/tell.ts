// What the prover, the lint and the trace say, as lines for a terminal. Sentences come from the catalogue; rules, routes and
// nft lines are shown as they are.
import type { PolicyRule } from "../contract/policy.ts";
import type { Explanation, TraceStep } from "../contract/trace.ts";
import type { Checked, CounterexampleTold, Difference, Finding, Proven } from "../contract/verdict.ts";
import type { TraceWord, Words } from "./words.ts";

export function tellExplanation(words: Words, e: Explanation): string {
  const { trace } = words;
  const row = (word: TraceWord, text: string): string => `${trace(word).padEnd(10)} ${text}`;
  const port = e.port === null ? "" : ` ${e.port}`;
  const mark = e.mark === null ? "" : ` mark ${e.mark}`;
  const rule = e.rule === null ? null : `${e.rule.place}. ${e.rule.name}`;
  return [
    `${e.destination} ${e.protocol}${port}${mark}`,
    ...(e.name === null
      ? []
      : [
          row(
            "names",
            trace("asked", { ...e.name, addresses: e.name.addresses.join(" "), servers: e.name.servers.join(" ") }),
          ),
        ]),
    row("wish", rule === null ? trace("mode", { lane: words.lane(e.lane) }).trim() : `${rule}: ${words.lane(e.lane)}`),
    ...e.way.map((step) => row(step.kind, stepWords(words, step))),
    row("end", endWords(words, e)),
    row("kernel", kernelWords(words, e)),
    ...e.findings.map((finding) => `! ${words.note(finding)}`),
  ].join("\n");
}

export function tellProven(words: Words, p: Proven): string {
  return [
    ...(p.about === "would" ? [words.say("proof-would", {})] : []),
    ...tellProof(words, p),
    ...p.limits.map((code) => words.say("limit", { code })),
  ].join("\n");
}

export function tellChecked(words: Words, c: Checked): string {
  return [
    ...tellProof(words, c),
    ...[...c.lints, ...c.notes].map((note) => words.note(note)),
    ...tellDifference(words, c.difference),
  ].join("\n");
}

export function tellDifference(words: Words, d: Difference): string[] {
  if (d.added.length + d.removed.length + d.more === 0) return [words.say("same", {})];
  return [
    ...d.removed.map((line) => `- ${line}`),
    ...d.added.map((line) => `+ ${line}`),
    ...(d.more > 0 ? [words.say("more", { count: d.more })] : []),
  ];
}

export function tellFinding(words: Words, f: Finding): string {
  const who = f.author === null ? "" : ` (${f.author})`;
  const head = `${f.id}  ${words.finding(f.kind)}${who}: ${words.note({ code: f.code, data: f.data })}`;
  return [head, ...f.what.map((line) => `    ${line}`), ...f.remedy.map((line) => `    → ${line}`)].join("\n");
}

export function tellRule(words: Words, rule: PolicyRule, place: number): string {
  const { match } = rule;
  const ports = match.ports?.map((p) => (p.from === p.to ? String(p.from) : `${p.from}-${p.to}`));
  const list = (key: string, values: readonly (string | number)[] | undefined): string[] => {
    if (values === undefined) return [];
    const rest = values.length > shown ? [`… ${values.length}`] : [];
    return [`${key}=${[...values.slice(0, shown), ...rest].join(",")}`];
  };
  const apps = match.apps?.map((app) => ("path" in app ? app.path : `${app.kind}:${"id" in app ? app.id : app.name}`));
  const parts = [
    ...list("app", apps),
    ...list("user", match.users),
    ...list("from", match.source),
    ...list("to", match.destination),
    ...list(
      "list",
      match.lists?.map((id) => id.slice(0, 12)),
    ),
    ...list("name", match.names),
    ...list("proto", match.protocol === undefined ? undefined : [match.protocol]),
    ...list("port", ports),
  ];
  return `${place}. ${rule.name}: ${parts.join(" ")} → ${words.lane(rule.lane)}`;
}

/** Of a list in one line. */
const shown = 6;

function tellProof(words: Words, p: Pick<Proven, "proof" | "counterexample">): string[] {
  if (p.counterexample !== null) return tellBroken(words, p.counterexample);
  if (p.proof === null) return [words.say("proof-none", {})];
  const { tookMs, held, properties, classes, states } = p.proof;
  return [words.say("proof-holds", { held, properties, classes, states, ms: Math.round(tookMs) })];
}

function tellBroken(words: Words, c: CounterexampleTold): string[] {
  const { property, state, fault, packet, way, end } = c;
  return [
    words.say("proof-breaks", { property, state, fault }),
    ...(packet === "" ? [] : [words.say("packet", { packet })]),
    ...[...way, ...(end === null ? [] : [end])].map((line) => `    ${line}`),
  ];
}

function stepWords(words: Words, step: TraceStep): string {
  const foreign = step.kind === "rule" && !step.ours ? ` (${words.trace("foreign")})` : "";
  const hits = step.packets === null ? "" : ` (${words.trace("hits", { count: step.packets })})`;
  return `${step.text}${foreign}${hits}`;
}

function endWords({ trace }: Words, e: Explanation): string {
  const { end } = e;
  if (end.kind !== "left") return trace(end.kind, end);
  const via = end.gateway === null ? "" : trace("via", { gateway: end.gateway });
  const node = e.exit?.kind === "node" ? [trace("node", e.exit)] : [];
  return [
    trace("left", { device: end.device, via }),
    ...(e.mtu === null ? [] : [trace("mtu", { mtu: e.mtu })]),
    ...node,
  ].join(", ");
}

function kernelWords({ trace }: Words, { kernel, agrees }: Explanation): string {
  if (kernel.kind === "not-asked") return trace(kernel.why);
  const said = kernel.kind === "route" ? kernel.text : trace("refused", kernel);
  return agrees === true ? `${trace("same")}: ${said}` : said;
}
