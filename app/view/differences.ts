// What will be different if the draft is saved, in sentences; what concerns where packets go first. At most five are
// shown, with how many more there are.
import type { Policy, PolicyRule } from "../../helper/contract/policy.ts";
import { matchDetail } from "./board.ts";
import { list, say, type Say } from "./say.ts";

export const shownDifferences = 5;

export function differences(saved: Policy, draft: Policy): readonly Say[] {
  const found: Say[] = [];
  if (saved.mode !== draft.mode) found.push(say(`diff.mode.${draft.mode}`));
  found.push(...rulesChanged(saved.rules, draft.rules));
  if (saved.lan.allow !== draft.lan.allow) found.push(say(draft.lan.allow ? "diff.lan.on" : "diff.lan.off"));
  if (saved.ipv6 !== draft.ipv6) found.push(say(`diff.ipv6.${draft.ipv6}`));
  if (saved.killSwitch !== draft.killSwitch) found.push(say(`diff.switch.${draft.killSwitch}`));
  if (saved.dns.servers.join() !== draft.dns.servers.join()) {
    const servers = draft.dns.servers;
    found.push(servers.length === 0 ? say("diff.dns.node") : say("diff.dns.own", { servers: list(servers) }));
  }
  return found;
}

function rulesChanged(saved: readonly PolicyRule[], draft: readonly PolicyRule[]): readonly Say[] {
  const before = new Map(saved.map((rule) => [rule.id, rule]));
  const kept = new Set(draft.map((rule) => rule.id));
  const found: Say[] = [];
  for (const rule of draft) {
    const old = before.get(rule.id);
    if (old === undefined) found.push(say(`diff.added.${rule.lane}`, { rule: rule.name }));
    else if (old.lane !== rule.lane) {
      found.push(say(`diff.lane.${rule.lane}`, { rule: rule.name, before: say(`diff.before.${old.lane}`) }));
    } else if (JSON.stringify(old.match) !== JSON.stringify(rule.match))
      found.push(say("diff.match", { rule: rule.name, what: matchDetail(rule) }));
    else if (old.name !== rule.name) found.push(say("diff.name", { rule: old.name, name: rule.name }));
  }
  for (const rule of saved) if (!kept.has(rule.id)) found.push(say("diff.removed", { rule: rule.name }));
  return [...found, ...orderChanged(saved, draft)];
}

/** The first rule that stands elsewhere among the rules that both have, named with the one it is asked before. */
function orderChanged(saved: readonly PolicyRule[], draft: readonly PolicyRule[]): readonly Say[] {
  const common = (rules: readonly PolicyRule[], others: readonly PolicyRule[]): readonly PolicyRule[] =>
    rules.filter((rule) => others.some((other) => other.id === rule.id));
  const before = common(saved, draft);
  const after = common(draft, saved);
  const at = after.findIndex((rule, index) => rule.id !== before[index]?.id);
  const [rule, next] = [after[at], after[at + 1]];
  if (rule === undefined || next === undefined) return [];
  return [say("diff.order", { rule: rule.name, other: next.name })];
}
