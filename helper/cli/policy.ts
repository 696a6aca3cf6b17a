// culvert policy: the rules, shown and edited; `get`, `set` and `check` take the whole policy as JSON. An edit reads the saved
// policy, changes it here and sets it: whatever is wrong with it is refused by the helper and changes nothing.
import { basename } from "node:path";

import type { ListBad, PrefixList } from "../contract/list.ts";
import type { Policy, PolicyRule } from "../contract/policy.ts";
import { bringList } from "./bring-list.ts";
import { keepWayIn } from "./keep-way-in.ts";
import { readPolicy } from "./policy-file.ts";
import { parseRule } from "./rule-words.ts";
import { tellChecked, tellRule } from "./tell.ts";
import { answerWith, type Context, type ExitCode, finish, refused, type Verb, wrongUse } from "./verb.ts";
import { clock } from "./words.ts";

export const policy: Verb = {
  arguments: { from: 0, to: 32 },
  run(context) {
    const [what = "show", ...rest] = context.args;
    if (what === "import") return importList(context, rest);
    if (what === "lists" && rest.length === 0)
      return answerWith(context, "lists", {}, (lists) => lists.map((list) => tellList(context, list)).join("\n"));
    if (what === "preset") return preset(context, rest);
    const edit = Object.hasOwn(edits, what) ? edits[what] : undefined;
    if (edit !== undefined) return change(context, rest, edit);
    const [path, ...more] = rest;
    if (what === "show" && path === undefined) return show(context);
    if (what === "get" && path === undefined)
      return answerWith(context, "policy", {}, (p) => JSON.stringify(p, null, 2));
    if (path === undefined || more.length > 0) return Promise.resolve(wrongUse(context));
    if (what === "set" || what === "check") return withFile(context, what, path);
    return Promise.resolve(wrongUse(context));
  },
};

/** Gives the new rules, or says why not. */
type Edit = (
  context: Context,
  rules: readonly PolicyRule[],
  words: readonly string[],
) => readonly PolicyRule[] | ExitCode;

const edits: Readonly<Record<string, Edit>> = {
  add(context, rules, [lane, ...match]) {
    const rule = parseRule(lane ?? "", match, context.name, rules);
    if (!rule.ok) return said(context, rule.word);
    const at = placeOf(context.options.at, rules.length + 1);
    if (at === null) return wrongUse(context);
    return [...rules.slice(0, at - 1), rule.value, ...rules.slice(at - 1)];
  },
  remove(context, rules, [name = "", ...more]) {
    const found = findRule(rules, name);
    if (more.length > 0) return wrongUse(context);
    return found === undefined ? noRule(context, name) : rules.filter((rule) => rule !== found);
  },
  move(context, rules, [name = "", place, ...more]) {
    const found = findRule(rules, name);
    if (found === undefined) return noRule(context, name);
    const at = placeOf(place, rules.length);
    if (at === null || place === undefined || more.length > 0) return wrongUse(context);
    const others = rules.filter((rule) => rule !== found);
    return [...others.slice(0, at - 1), found, ...others.slice(at - 1)];
  },
};

/** FILE LANE [MATCH…]: a rule for all that the file lists. */
async function importList(context: Context, [path, lane, ...match]: readonly string[]): Promise<ExitCode> {
  if (path === undefined || lane === undefined) return wrongUse(context);
  const saved = await context.client.request("policy", {});
  if (!saved.ok) return refused(context, saved.refusal);
  const { rules } = saved.value;
  const name = context.name ?? basename(path).slice(0, 120);
  // what is wrong with the rule is said before a million lines are read
  const rule = parseRule(lane, [...match, `list=${"0".repeat(64)}`], name, rules);
  if (!rule.ok) return said(context, rule.word);
  const at = placeOf(context.options.at, rules.length + 1);
  if (at === null) return wrongUse(context);
  const brought = await bringList(context, path, progressOf(context));
  if (!brought.ok) return refused(context, brought.refusal);
  if ("bad" in brought.value) return tellBad(context, brought.value.bad);
  const { done } = brought.value;
  context.note(context.words.say("list-read", { lines: done.lines, read: done.read, prefixes: done.prefixes }));
  const whole = { ...rule.value, match: { ...rule.value.match, lists: [done.id] } };
  return set(context, { ...saved.value, rules: [...rules.slice(0, at - 1), whole, ...rules.slice(at - 1)] });
}

function tellBad(context: Context, found: ListBad): ExitCode {
  const { words } = context;
  if (context.json) context.print(JSON.stringify({ bad: found }));
  for (const { line, text } of found.bad) context.note(words.say("list-line", { line, text }));
  if (found.badLines > found.bad.length)
    context.note(words.say("list-more", { count: found.badLines - found.bad.length }));
  context.note(
    words.say(found.tooMany ? "list-too-many" : found.lines === 0 || found.badLines === 0 ? "list-empty" : "list-bad", {
      count: found.badLines,
    }),
  );
  return 1;
}

/** A line each second at most, and none of a list that is read at once. */
function progressOf(context: Context): (lines: number, share: number | null) => void {
  let told = performance.now();
  return (lines, share) => {
    if (context.json || performance.now() - told < 1000) return;
    told = performance.now();
    context.note(
      context.words.say("list-progress", { lines, percent: share === null ? "–" : Math.floor(share * 100) }),
    );
  };
}

function tellList({ words }: Context, { id, prefixes, rules }: PrefixList): string {
  return words.say("list-one", { id: id.slice(0, 12), prefixes, rules: rules.join(", ") });
}

/** everything; everything-but WORD…; only WORD…: rules, one for each word, and the mode that goes with them. */
async function preset(context: Context, [what = "", ...words]: readonly string[]): Promise<ExitCode> {
  const made = Object.hasOwn(presets, what) ? presets[what] : undefined;
  if (made === undefined || (made.lane === null) !== (words.length === 0)) return wrongUse(context);
  const saved = await context.client.request("policy", {});
  if (!saved.ok) return refused(context, saved.refusal);
  const rules: PolicyRule[] = [];
  for (const word of words) {
    const rule = parseRule(made.lane ?? "", [word], undefined, rules);
    if (!rule.ok) return said(context, rule.word);
    rules.push(rule.value);
  }
  return set(context, { ...saved.value, mode: made.mode, rules });
}

const presets: Readonly<Record<string, { readonly mode: Policy["mode"]; readonly lane: PolicyRule["lane"] | null }>> = {
  everything: { mode: "everything", lane: null },
  "everything-but": { mode: "everything", lane: "direct" },
  only: { mode: "only", lane: "tunnel" },
};

async function change(context: Context, args: readonly string[], edit: Edit): Promise<ExitCode> {
  const saved = await context.client.request("policy", {});
  if (!saved.ok) return refused(context, saved.refusal);
  const rules = edit(context, saved.value.rules, args);
  if (typeof rules === "number") return rules;
  return set(context, { ...saved.value, rules: [...rules] });
}

async function withFile(context: Context, what: "set" | "check", path: string): Promise<ExitCode> {
  const read = readPolicy(path);
  if (!read.ok) return refused(context, read.refusal);
  if (what === "set") return set(context, read.value);
  const answer = await context.client.request("check", { node: null, policy: read.value });
  const code = finish(context, answer, (c) => tellChecked(context.words, c));
  return answer.ok && answer.value.counterexample !== null ? 1 : code;
}

async function set(context: Context, wanted: Policy): Promise<ExitCode> {
  const { within, anyway } = context.options;
  const confirmWithin = within === undefined ? undefined : Number(within);
  if (confirmWithin !== undefined && !(Number.isInteger(confirmWithin) && confirmWithin >= 5 && confirmWithin <= 3600))
    return wrongUse(context);
  const kept = await keepWayIn(context, null, wanted);
  if (!kept.ok) return refused(context, kept.refusal);
  const policy = kept.value;
  const params = { policy, ...(confirmWithin === undefined ? {} : { confirmWithin }), ...(anyway ? { anyway } : {}) };
  return answerWith(context, "setPolicy", params, (status) => {
    const until = status.confirm === undefined ? [] : [{ until: clock(status.confirm.until) }];
    const back = until.map((data) => context.words.say("saved-until", data));
    return [context.words.say("saved", {}), ...back, ...rulesOf(context, policy)].join("\n");
  });
}

function show(context: Context): Promise<ExitCode> {
  return answerWith(context, "policy", {}, (p) => rulesOf(context, p).join("\n"));
}

function rulesOf({ words }: Context, p: Policy): string[] {
  const rest = words.say("rest", { lane: words.lane(p.mode === "everything" ? "tunnel" : "direct") });
  const rules = p.rules.map((rule, i) => tellRule(words, rule, i + 1));
  return [...(rules.length === 0 ? [words.say("no-rules", {})] : rules), rest];
}

/** By id, by name, or by its place from 1. */
function findRule(rules: readonly PolicyRule[], name: string): PolicyRule | undefined {
  const place = /^\d+$/.test(name) ? rules[Number(name) - 1] : undefined;
  return rules.find((r) => r.id === name) ?? rules.find((r) => r.name === name) ?? place;
}

function placeOf(text: string | undefined, last: number): number | null {
  if (text === undefined) return last;
  const at = Number(text);
  return Number.isInteger(at) && at >= 1 ? Math.min(at, last) : null;
}

function noRule(context: Context, rule: string): ExitCode {
  context.note(context.words.say("no-rule", { rule }));
  return 1;
}

function said(context: Context, word: string): ExitCode {
  context.note(context.words.say("bad-match", { word }));
  return 2;
}
