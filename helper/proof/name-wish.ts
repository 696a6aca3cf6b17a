// Whose names go another lane than the machine's, read from the policy alone: of each mark the lane of what the rules say
// of everything its programs send, where that is not what they say of everybody. Where a rule names port 53 for them, or
// asks for more than a program, queries go the lane of their packets as anybody's do.
import type { Lane, Policy, PolicyRule } from "../contract/policy.ts";
import { covers, familyOf, hostPrefix, type Address, type Prefix } from "../contract/prefix.ts";
import type { Facts } from "../plan/facts.ts";
import { appMask, laneStubs, loopback, markMask, marks } from "../plan/numbers.ts";
import type { PlanApps } from "../plan/plan.ts";
import type { Packet, PrefixSet } from "./packet.ts";
import { set } from "./rule-wish.ts";

export interface NameWish {
  /** Marks with the lane of their names. */
  readonly lanes: ReadonlyMap<number, Lane>;
  /** The lane of a query that is to be led to a resolver of ours, or refused; null: as any packet. */
  readonly laneOf: (packet: Packet) => Lane | null;
  /** Asked by our own resolver for the direct lane, of one who may be asked. */
  readonly isAsking: (packet: Packet) => boolean;
  /** Under our resolver's mark, whoever is asked. */
  readonly isOurs: (packet: Packet) => boolean;
  /** Straight at the resolver of this lane. */
  readonly stubs: readonly { readonly lane: Lane; is(packet: Packet): boolean; mayAsk(packet: Packet): boolean }[];
  readonly questions: readonly PrefixSet[];
}

export function nameWish(policy: Policy, facts: Facts, apps: PlanApps | null, ofRule: readonly number[][]): NameWish {
  const lanes = new Map<number, Lane>();
  const others = laneFor(policy, () => false);
  const all = facts.features.redirects === true && apps !== null ? [...new Set(ofRule.flat())] : [];
  for (const mark of all) {
    const lane = laneFor(policy, (place) => ofRule[place]?.includes(mark) === true);
    if (mark === 0 || lane === null || others === null || lane === others) continue;
    // in mode "only" the machine's own resolvers are main's business, and nobody asks them in somebody's stead
    if (policy.mode !== "only" || lane !== "direct") lanes.set(mark, lane);
  }
  const servers = set("asked directly", !has(lanes, "direct") ? [] : serversOf(policy, facts));
  const here = set("loopback hosts", [hostPrefix(loopback[4]), hostPrefix(loopback[6])]);
  const ofLane = (lane: Lane | null, packet: Packet): boolean =>
    [...lanes].some(([mark, its]) => (lane === null || its === lane) && packet.mark(appMask, mark));
  const asksDirectly = has(lanes, "direct");
  const isOurs = (packet: Packet): boolean => asksDirectly && isQuery(packet) && packet.mark(markMask, marks.direct);
  return {
    lanes,
    laneOf: (packet) =>
      lanes.size > 0 && isQuery(packet) ? ([...lanes].find(([mark]) => packet.mark(appMask, mark))?.[1] ?? null) : null,
    isOurs,
    // fragments show no port (4.18)
    isAsking: (packet) =>
      asksDirectly &&
      packet.mark(markMask, marks.direct) &&
      packet.destination(servers) &&
      isCarried(packet) &&
      (packet.flag("later-fragment") || packet.dport(53, 53)),
    stubs: (["direct", "tunnel"] as const)
      .filter((lane) => has(lanes, lane))
      .map((lane) => ({
        lane,
        is: (packet) => packet.destination(here) && isCarried(packet) && packet.dport(laneStubs[lane], laneStubs[lane]),
        mayAsk: (packet) => ofLane(lane, packet),
      })),
    questions: [servers, here],
  };
}

/** What the rules that mean somebody's packets say of all of them; null: that is not said of them as a whole. */
function laneFor(policy: Policy, mine: (place: number) => boolean): Lane | null {
  const rules = policy.rules.filter((rule, place) => rule.match.apps === undefined || mine(place));
  if (rules.some(namesPort)) return null;
  for (const { match, lane } of rules) {
    if (match.users !== undefined || match.source !== undefined) return null;
    if (match.destination === undefined && match.ports === undefined && match.protocol === undefined) return lane;
  }
  return policy.mode === "only" ? "direct" : "tunnel";
}

function namesPort({ match: { ports, protocol } }: PolicyRule): boolean {
  return protocol !== "icmp" && (ports?.some((range) => range.from <= 53 && 53 <= range.to) ?? false);
}

/** Loopback leads to this machine itself, and of a link-local address nobody says on which link it is. */
const nobodys = ["127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"] as string[] as Prefix[];

function serversOf(policy: Policy, { resolver }: Facts): readonly Prefix[] {
  const told = resolver.ownServers?.flatMap(({ servers }) => servers) ?? resolver.resolvConf.servers;
  const all: readonly Address[] = policy.dns.servers.length > 0 ? policy.dns.servers : told;
  return all
    .filter((server) => !nobodys.some((prefix) => covers(prefix, server)))
    .filter((server) => familyOf(server) === 4 || policy.ipv6 !== "block")
    .map(hostPrefix);
}

const has = (lanes: ReadonlyMap<number, Lane>, lane: Lane): boolean => [...lanes.values()].includes(lane);
const isCarried = (packet: Packet): boolean => packet.protocol(17, 17) || packet.protocol(6, 6);
/** A later fragment whose first was refused is no query to anybody. */
const isQuery = (packet: Packet): boolean =>
  !packet.flag("later-fragment") && isCarried(packet) && packet.dport(53, 53);
