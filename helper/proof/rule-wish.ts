// What one rule of the policy asks of a packet, read from the policy alone; and whose the marks of a plan are.
import type { Prefix } from "../contract/prefix.ts";
import type { Policy, PolicyRule } from "../contract/policy.ts";
import { appMask, markMask, marks } from "../plan/numbers.ts";
import type { PlanApps } from "../plan/plan.ts";
import type { Packet, PrefixSet } from "./packet.ts";
import { coveredBy } from "./words.ts";

export const set = (key: string, prefixes: readonly (Prefix | string)[]): PrefixSet => ({
  key,
  prefixes: prefixes as Prefix[],
});

export interface RuleQuestions {
  readonly rule: PolicyRule;
  readonly source: PrefixSet;
  readonly destination: PrefixSet;
  /** Its destinations that lie in the local network. */
  readonly near: PrefixSet;
  readonly lan: PrefixSet;
  readonly inside: PrefixSet;
  readonly marks: readonly number[];
}

export function ruleQuestions(
  rule: PolicyRule,
  place: number,
  lan: PrefixSet,
  ofApps: readonly number[],
  inside: PrefixSet,
): RuleQuestions {
  const { source = [], destination = [] } = rule.match;
  return {
    ...{ rule, lan, inside, marks: ofApps },
    source: set(`rule ${place} source`, source),
    destination: set(`rule ${place} destination`, destination),
    near: set(`rule ${place} in the lan`, coveredBy(destination, lan.prefixes)),
  };
}

/** A block of more than addresses. */
export function isNarrow({ match, lane }: PolicyRule): boolean {
  const { apps, users, source, protocol, ports } = match;
  return lane === "block" && [apps, users, source, protocol, ports].some((field) => field !== undefined);
}

/** The local network comes before the rules but for these. */
export function saysOfLan({ rule, near, destination }: RuleQuestions, packet: Packet): boolean {
  if (!isNarrow(rule)) return packet.destination(near);
  return rule.match.destination === undefined || packet.destination(destination);
}

/** 4.18: a later fragment shows no ports to lock 3; who may not have its first can make nothing of it. */
export function isBlind({ rule }: RuleQuestions, packet: Packet): boolean {
  return rule.lane !== "direct" && rule.match.ports !== undefined && packet.flag("later-fragment");
}

const protocols = { tcp: [6, 6], udp: [17, 17], icmp: [1, 58] } as const;

export function ruleMatches(
  { rule, source, inside, marks: mine }: RuleQuestions,
  packet: Packet,
  sourceKnown: boolean,
  destination: PrefixSet,
): boolean {
  const { match } = rule;
  // an application is known by the mark its sockets got at birth
  if (match.apps && !mine.some((mark) => packet.mark(appMask, mark))) return false;
  if (match.users && !(ownSocket(packet) && match.users.some((uid) => packet.uid(uid, uid)))) return false;
  // an inside address is the tunnel's, chosen because of the lane: it is nobody's source before
  if (match.source && !(sourceKnown && packet.source(source) && !packet.source(inside))) return false;
  if (match.destination && !packet.destination(destination)) return false;
  if (match.protocol) {
    const number = protocols[match.protocol][packet.family === 4 ? 0 : 1];
    if (!packet.protocol(number, number)) return false;
  }
  if (!match.ports) return true;
  // ports are those of TCP and UDP, whatever else has some
  if (!match.protocol && !packet.protocol(6, 6) && !packet.protocol(17, 17)) return false;
  return match.ports.some((range) => packet.dport(range.from, range.to));
}

const ownSocket = (packet: Packet): boolean => packet.origin.kind === "socket" && !packet.origin.kernel;

/** Which marks are whose, by what the plan says of its programs; told from the policy's side once more. */
export function marksOf(policy: Policy, apps: PlanApps | null) {
  const key = (app: object): string => JSON.stringify(Object.entries(app).sort());
  const named = policy.rules.map((rule) => new Set((rule.match.apps ?? []).map(key)));
  const classes = [...(apps?.programs ?? []), ...(apps?.places ?? [])].map(({ app }) => key(app));
  const nowhere = named.find((set) => [...set].some((app) => !classes.includes(app)));
  const rulesOf = new Map<number, string>();
  let confused = nowhere === undefined ? null : "a program without a class";
  const at = (all: PlanApps["programs"], cls: number): string => {
    const found = all.find((x) => x.class === cls);
    return found === undefined ? "" : key(found.app);
  };
  for (const [program, row] of (apps?.marks ?? []).entries())
    for (const [place, mark] of row.entries()) {
      const mine = [at(apps?.programs ?? [], program), at(apps?.places ?? [], place)];
      const rules = named.flatMap((set, i) => (mine.some((app) => set.has(app)) ? [i] : [])).join();
      if ((rulesOf.get(mark) ?? rules) !== rules || (mark === 0) !== (rules === "")) confused = `mark ${mark}`;
      rulesOf.set(mark, rules);
    }
  const others = Object.values(marks) as number[];
  if ([...rulesOf.keys()].some((m) => others.includes(m) || (m & ~(markMask & appMask)) !== 0))
    confused = "a mark of others";
  const ofRule = named.map((_, i) =>
    [...rulesOf].filter(([, rules]) => rules.split(",").includes(String(i))).map(([mark]) => mark),
  );
  return { ofRule, confused, marks: [...new Set([0, ...rulesOf.keys()])] };
}
