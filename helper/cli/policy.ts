// culvert policy: the rules, shown and edited; `get`, `set` and `check` take the whole policy as JSON. An edit reads the saved
// policy, changes it here and sets it: whatever is wrong with it is refused by the helper and changes nothing.
import type { Policy, PolicyRule } from "../contract/policy.ts";
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
