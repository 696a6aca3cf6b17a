// A plan as a flat list of commands, one for each thing that will be there, and what one plan has that another has not: the
// difference a person sees before saving. Lines of long sets and tables are counted, not listed.
import type { Difference } from "../contract/verdict.ts";
import type { NftSet, NftTable } from "./nft.ts";
import type { Plan } from "./plan.ts";
import { printOperation } from "./print.ts";
import { printNftRule } from "./print-nft.ts";

/** As many as a screen can show; the contract takes 200 of each. */
const shown = 200;
const longest = 600;

/** null: nothing stands. */
export function differenceOf(before: Plan | null, after: Plan | null): Difference {
  const old = commandsOf(before);
  const wanted = commandsOf(after);
  const added = without(wanted, old);
  const removed = without(old, wanted);
  const more = Math.max(0, added.length - shown) + Math.max(0, removed.length - shown);
  return { added: cut(added), removed: cut(removed), more };
}

export function commandsOf(plan: Plan | null): readonly string[] {
  if (plan === null) return [];
  const { link } = plan;
  return [
    ...plan.sysctls.map((s) => `sysctl -w ${s.key}=${s.value}`),
    ...(link === null ? [] : [printOperation({ kind: "link.set", ...link })]),
    ...(link?.addresses ?? []).map((a) => printOperation({ kind: "address.add", link: link?.name ?? "", address: a })),
    ...plan.nexthops.map((nexthop) => printOperation({ kind: "nexthop.replace", nexthop })),
    ...plan.routes.map((route) => printOperation({ kind: "route.replace", route })),
    ...plan.rules.map((rule) => printOperation({ kind: "rule.add", rule })),
    ...plan.nft.flatMap(gateCommands),
    ...(plan.dns?.servers.map((s) => `nameserver ${s}`) ?? []),
  ];
}

function gateCommands(table: NftTable): string[] {
  const name = `${table.family} ${table.name}`;
  return [
    ...table.sets.flatMap((set: NftSet) => set.elements.map((e) => `nft add element ${name} ${set.name} { ${e} }`)),
    ...table.chains.flatMap((chain) =>
      chain.rules.map((rule) => `nft add rule ${name} ${chain.name} ${printNftRule(rule, table.family)}`),
    ),
  ];
}

/** Lines of `all` that `other` has not, as often as it lacks them, in order. */
function without(all: readonly string[], other: readonly string[]): string[] {
  const there = new Map<string, number>();
  for (const line of other) there.set(line, (there.get(line) ?? 0) + 1);
  return all.filter((line) => {
    const left = there.get(line) ?? 0;
    if (left > 0) there.set(line, left - 1);
    return left === 0;
  });
}

function cut(lines: readonly string[]): string[] {
  return lines.slice(0, shown).map((line) => line.slice(0, longest));
}
