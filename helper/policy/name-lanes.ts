// Whose names go another lane than the machine's. Queries of such programs, known by their marks, are led to our own resolver
// before they leave (name-gate.ts), which asks by that lane: direct is the uplink's own resolvers, or those that policy
// names; tunnel is the node's. A rule that names port 53 means the queries of its program itself: nothing is led there.
import type { Lane, Policy } from "../contract/policy.ts";
import { covers, familyOf } from "../contract/prefix.ts";
import type { Address } from "../contract/prefix.ts";
import type { Facts } from "../plan/facts.ts";
import { bindNames } from "../plan/names.ts";
import { stubAddress } from "../plan/numbers.ts";
import { appGroups } from "./apps.ts";
import type { Ground } from "./ground.ts";
import { lanesOf } from "./lanes.ts";
import type { LaneSet } from "./lanes.ts";
import { known, tcp, udp } from "./nft-words.ts";
import { hasService } from "./selection.ts";

/** A mark of programs whose names go by this lane, while everybody else's go by another. */
export interface NameLane {
  readonly mark: number;
  readonly lane: Lane;
}

export interface NameLanes {
  readonly marks: readonly NameLane[];
  /** Whom names of the direct lane are asked of. */
  readonly direct: readonly Address[];
}

type Asked = Pick<Ground, "lanes" | "apps" | "otherwise" | "facts" | "policy" | "state">;

export function nameLanesOf(ground: Asked): NameLanes {
  const { facts, policy, state } = ground;
  if (facts.features.redirects !== true) return { marks: [], direct: [] };
  const marks = apartOf(ground);
  // off, from boot on: nobody listens, and nobody else is asked in our stead
  if (state === "off") return { marks: marks.map((one) => ({ ...one, lane: "block" })), direct: [] };
  return { marks, direct: marks.some(({ lane }) => lane === "direct") ? directServers(policy, facts) : [] };
}

/** Of whom rules say that his names go elsewhere than the machine's, whether or not this machine can do it. */
export function apartOf(ground: Pick<Asked, "apps" | "lanes" | "otherwise" | "policy">): readonly NameLane[] {
  const { apps, policy } = ground;
  const all = [...new Set(apps.plan?.marks.flat() ?? [])].filter((value) => value !== 0);
  const others = laneOfNames(ground, null);
  return all.flatMap((value): NameLane[] => {
    const lane = laneOfNames(ground, value);
    if (lane === null || others === null || lane === others) return [];
    // in mode "only" the machine's own resolvers are main's business, and nobody asks them in somebody's stead
    return policy.mode === "only" && lane === "direct" ? [] : [{ mark: value, lane }];
  });
}

/** Policy's, or else those that the machine would ask without us; what it asks of itself is nobody's address. */
export function directServers(policy: Policy, facts: Facts): readonly Address[] {
  const own = facts.resolver.ownServers?.flatMap(({ servers }) => servers) ?? facts.resolver.resolvConf.servers;
  const all = policy.dns.servers.length > 0 ? policy.dns.servers : own;
  return [...new Set(all)].filter(
    (server) => !isNowhere(server) && server !== stubAddress && (familyOf(server) === 4 || policy.ipv6 !== "block"),
  );
}

/** Lanes for which our own resolver is to listen. */
export function lanesToAnswer(policy: Policy, facts: Facts): readonly Exclude<Lane, "block">[] {
  const lanes = namesOf(policy, facts).marks.map(({ lane }) => lane);
  return [...new Set(lanes.filter((lane) => lane !== "block"))];
}

/** null: the names of programs with this mark go as everybody's. */
export function laneOfMark(policy: Policy, facts: Facts, mark: number): Lane | null {
  return namesOf(policy, facts).marks.find((one) => one.mark === mark)?.lane ?? null;
}

function namesOf(wish: Policy, facts: Facts): NameLanes {
  const policy = bindNames(wish, facts);
  const apps = appGroups(policy, facts.heldMarks);
  const otherwise = policy.mode === "only" ? "direct" : "tunnel";
  return nameLanesOf({ policy, facts, apps, otherwise, lanes: lanesOf(policy, [], apps), state: "connected" });
}

/** What every rule for everything says of a mark's names, null: it cannot be said without looking at each packet. */
export function laneOfNames({ lanes, otherwise }: Pick<Ground, "lanes" | "otherwise">, value: number | null) {
  const mine = lanes.filter(({ selection: s }) => s.marks === null || (value !== null && s.marks.includes(value)));
  if (mine.some((set) => set.rule.match.ports !== undefined && asksNames(set, false))) return null;
  for (const set of mine) {
    // who else it asks about is not known of a mark alone
    if (set.selection.users !== null || set.selection.sources !== null) return null;
    if (!set.named && asksNames(set, true)) return set.lane;
  }
  return otherwise;
}

const dnsPort = 53;
/** Loopback leads back to us; of a link-local one the link is not known. */
const nowhere = ["127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10"].map(known);

function isNowhere(server: Address): boolean {
  return nowhere.some((prefix) => covers(prefix, server));
}

function asksNames({ selection }: LaneSet, both: boolean): boolean {
  const asked = [hasService(selection, udp, dnsPort), hasService(selection, tcp, dnsPort)];
  return both ? asked.every(Boolean) : asked.some(Boolean);
}
