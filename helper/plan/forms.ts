// The forms of taking the default over that lie in main (T2), and how what is ours there is known again. Main belongs to
// the machine: of it only what carries protocol kernel, one of our two metrics and one of these prefixes, or our own link,
// is ever taken away, and nothing of anybody else's is replaced.
import type { Form } from "../contract/policy.ts";
import { parsePrefix } from "../contract/prefix.ts";
import type { Family, Prefix } from "../contract/prefix.ts";
import type { RouteFact } from "./facts.ts";
import { linkName, mainMetrics, mainTable, protocolKernel, ranges } from "./numbers.ts";

export type MainForm = Exclude<Form, "table">;

type Pieces = Readonly<Record<Family, readonly Prefix[]>>;

/** What stands for "everything". */
export const pieces: Readonly<Record<MainForm, Pieces>> = {
  metric: { 4: known("0.0.0.0/0"), 6: known("::/0") },
  halves: { 4: known("0.0.0.0/1", "128.0.0.0/1"), 6: known("::/1", "8000::/1") },
  eighths: {
    4: known(
      ...["1.0.0.0/8", "2.0.0.0/7", "4.0.0.0/6", "8.0.0.0/5"],
      ...["16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2", "128.0.0.0/1"],
    ),
    // the first eighth is taken along: NAT64 lives in it (64:ff9b::/96, RFC 6052)
    6: known("::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "2000::/3", "4000::/2", "8000::/1"),
  },
};

/** What a form leaves out goes nowhere: 0/8 is "this network" (RFC 1122, 3.2.1.3) and nobody's destination. */
export const leftOut: Readonly<Record<MainForm, Pieces>> = {
  metric: { 4: [], 6: [] },
  halves: { 4: [], 6: [] },
  eighths: { 4: known("0.0.0.0/8"), 6: [] },
};

/** Ours by its table, or in main by what only ours have. */
export function isOwnRoute(route: RouteFact): boolean {
  if (ranges.firstTable <= route.table && route.table <= ranges.lastTable) return true;
  if (route.table !== mainTable || route.protocol !== protocolKernel || route.tos !== 0) return false;
  if (route.type === "unreachable") return route.metric === mainMetrics.stop && stops.has(route.prefix);
  const [leg] = route.legs;
  const alone = route.type === "unicast" && route.legs.length === 1 && leg?.dev === linkName && leg.via === null;
  return alone && route.metric === mainMetrics.tunnel;
}

const stops: ReadonlySet<Prefix> = new Set(
  [...Object.values(pieces), ...Object.values(leftOut)].flatMap((of) => [...of[4], ...of[6]]),
);

function known(...texts: readonly string[]): readonly Prefix[] {
  return texts.map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
    return prefix;
  });
}
