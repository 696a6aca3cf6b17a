// What every part of the compiler asks: the wish, the machine and the far end, with the answers worked out once.
import type { Lane, Policy } from "../contract/policy.ts";
import { addressOf, familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Family, Prefix } from "../contract/prefix.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { bindNames } from "../plan/names.ts";
import { linkName } from "../plan/numbers.ts";
import type { PlanState } from "../plan/plan.ts";
import { appGroups } from "./apps.ts";
import type { AppGroups } from "./apps.ts";
import { laneOf, lanesOf } from "./lanes.ts";
import type { LaneSet } from "./lanes.ts";
import { nameLanesOf } from "./name-lanes.ts";
import type { NameLanes } from "./name-lanes.ts";
import { mtuOf } from "./tunnel.ts";
import { lanOf, outsideLinksOf, waysOf } from "./uplinks.ts";
import type { LanPrefix, OutsideLink, Way } from "./uplinks.ts";

export interface Request {
  readonly policy: Policy;
  readonly facts: Facts;
  readonly exit: Exit | null;
  /** Switching: the node that is being left; its endpoint stays allowed until the new one carries. */
  readonly previous?: Exit | null;
  readonly state: PlanState;
}

export interface Ground extends Request {
  readonly ways: readonly Way[];
  readonly links: readonly OutsideLink[];
  readonly lan: readonly LanPrefix[];
  readonly lanes: readonly LaneSet[];
  readonly apps: AppGroups;
  /** Mode "only": what no rule names is left alone, as if Culvert were not there. */
  readonly only: boolean;
  /** The lane of what no rule names. */
  readonly otherwise: Lane;
  /** Addresses of this machine in the tunnel. */
  readonly inside: Readonly<Record<Family, readonly Prefix[]>>;
  /** Which families the tunnel takes; the other is blocked. */
  readonly carries: Readonly<Record<Family, boolean>>;
  readonly endpoints: readonly Exit["endpoint"][];
  /** Resolvers that policy names, or else the node; in mode "only" the machine's own are left alone. */
  readonly resolvers: readonly Address[];
  /** Programs whose names go another lane than the machine's. */
  readonly names: NameLanes;
  /** Packets may enter the tunnel. */
  readonly open: boolean;
  /** The direct lane leaves: in every state but while connecting; in mode "only" always. */
  readonly direct: boolean;
  /** culvert0 is there, or is to be made. */
  readonly adapter: boolean;
  readonly mtu: number;
}

export const families: readonly Family[] = [4, 6];

export function groundOf(wanted: Request): Ground {
  const request = { ...wanted, policy: bindNames(wanted.policy, wanted.facts) };
  const { policy, facts, state } = request;
  const exit = state === "off" ? null : request.exit;
  const ways = waysOf(facts);
  const links = outsideLinksOf(facts, ways);
  const mtu = mtuOf(exit, ways, links);
  const inside = insideOf(exit);
  const before = state === "switching" ? insideOf(request.previous ?? null) : { 4: [], 6: [] };
  const carries = {
    4: inside[4].length > 0 && carriesFamily(exit, 4),
    6: policy.ipv6 === "carry" && hasIpv6(facts) && mtu >= 1280 && inside[6].length > 0 && carriesFamily(exit, 6),
  };
  const lan = lanOf(policy, facts, links);
  const apps = appGroups(policy, facts.heldMarks);
  const only = policy.mode === "only";
  const otherwise: Lane = only ? "direct" : "tunnel";
  const lanes = { lan, lanes: lanesOf(policy, lan, apps), apps, only, otherwise };
  const open = exit !== null && (state === "connected" || state === "switching");
  const previous = state === "switching" ? [request.previous ?? null] : [];
  return {
    ...request,
    exit,
    ways,
    links,
    ...lanes,
    inside: { 4: [...new Set([...inside[4], ...before[4]])], 6: [...new Set([...inside[6], ...before[6]])] },
    carries,
    endpoints: [exit, ...previous].filter((e) => e !== null).map((e) => e.endpoint),
    resolvers: resolversOf({ ...request, exit }, carries, lanes),
    names: nameLanesOf({ ...request, ...lanes }),
    open,
    direct: only || state !== "connecting",
    adapter: exit !== null && (state !== "locked" || facts.links.some((l) => l.name === linkName)),
    mtu,
  };
}

function insideOf(exit: Exit | null): Record<Family, readonly Prefix[]> {
  const all = exit?.inside.map((a) => hostPrefix(addressOf(a))) ?? [];
  return { 4: all.filter((p) => familyOf(p) === 4), 6: all.filter((p) => familyOf(p) === 6) };
}

/** On culvert0: the kernel refuses it an address where new links have no IPv6 (EACCES, addrconf.c). */
function hasIpv6({ features }: Facts): boolean {
  return features.ipv6 && features.ipv6Off !== true;
}

function carriesFamily(exit: Exit | null, family: Family): boolean {
  return exit?.allowedIps.some((prefix) => familyOf(prefix) === family) ?? false;
}

/** Policy's, or else the node's; one that no lane leads to is none. */
function resolversOf(
  request: Request,
  carries: Ground["carries"],
  lanes: Pick<Ground, "lan" | "lanes" | "only" | "otherwise">,
): readonly Address[] {
  const named = request.policy.dns.servers;
  if (named.length === 0 && lanes.only) return [];
  if (named.length === 0) return request.exit?.dns.filter((server) => carries[familyOf(server)]) ?? [];
  return named.filter((server) => {
    const lane = laneOf(lanes, server).kind;
    if (familyOf(server) === 6 && request.policy.ipv6 === "block") return false;
    return lane === "tunnel" ? carries[familyOf(server)] : lane !== "block";
  });
}
