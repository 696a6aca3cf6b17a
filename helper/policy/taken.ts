// Numbers of ours that somebody else uses: priorities among our rules, routes in our tables, nexthop ids, our marks. Named
// before connecting, with the command that frees the number: what lies in our tables would be taken away as our own.
import { refuse } from "../contract/refusal.ts";
import type { Refusal } from "../contract/refusal.ts";
import type { Facts } from "../plan/facts.ts";
import { markMask, marks, nexthopIds, protocolKernel, ranges } from "../plan/numbers.ts";
import { printRemoval, printReturn } from "../plan/removal.ts";
import type { Removal } from "../plan/removal.ts";

export function takenOf(facts: Facts): { readonly ok: false; readonly refusal: Refusal } | null {
  const [first] = takenBy(facts);
  if (first === undefined) return null;
  const what = printReturn(first) ?? printRemoval(first).replace(" del ", " add ");
  return refuse("machine.number-taken", { what: what.slice(0, 300), remedy: printRemoval(first).slice(0, 300) });
}

function takenBy(facts: Facts): readonly Removal[] {
  const own = new Set<number>(Object.values(marks).map((mark) => mark >>> 0));
  return [
    ...facts.rules
      .filter((r) => r.protocol !== protocolKernel)
      .filter(
        (r) =>
          (ranges.firstPriority <= r.priority && r.priority <= ranges.lastPriority) ||
          (r.action.kind === "lookup" && isOurTable(r.action.table)) ||
          // under a mask that looks at our bits, a mark of ours; the whole word is a program's own matter (others.ts)
          (r.mark !== null && !r.not && r.mark.mask >>> 0 === markMask && own.has(r.mark.value >>> 0)),
      )
      .map((rule): Removal => ({ kind: "rule.del", rule })),
    ...facts.routes
      .filter((r) => isOurTable(r.table) && r.protocol !== protocolKernel)
      .map((route): Removal => ({ kind: "route.del", route })),
    ...facts.nexthops
      .filter((n) => n.protocol !== protocolKernel && nexthopIds.first <= n.id && n.id <= nexthopIds.last)
      .map(({ id }): Removal => ({ kind: "nexthop.del", id })),
  ];
}

const isOurTable = (table: number): boolean => ranges.firstTable <= table && table <= ranges.lastTable;
