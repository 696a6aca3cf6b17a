// What is refused before anything is laid: a machine on which the plan could not stand, and wishes this compiler does
// not yet carry out in full. Half of a wish is worse than a refusal, so nothing is left out in silence. Closing never
// fails: a machine that is being locked is not asked whether it has an uplink or another VPN.
import { addressOf, covers, familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Refusal } from "../contract/refusal.ts";
import { refuse } from "../contract/refusal.ts";
import { maxSetTables } from "../plan/numbers.ts";
import { maxGroups } from "./apps.ts";
import { waysTo } from "./bypass.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { takenOf } from "./taken.ts";
import { maxLines, selectorsOf } from "./selection.ts";

type No = { readonly ok: false; readonly refusal: Refusal } | null;

export function refusalOf(ground: Ground): No {
  const unsupported = unsupportedOf(ground);
  if (unsupported !== null || ground.state === "off" || ground.state === "locked") return unsupported;
  return otherVpnOf(ground) ?? takenOf(ground.facts) ?? clashOf(ground) ?? noWayOf(ground);
}

function unsupportedOf({ policy, facts, lanes, apps }: Ground): No {
  const no = (rule: string | null, what: string): No => refuse("policy.unsupported", { rule, with: what });
  for (const { rule, selection } of lanes) {
    if (rule.match.apps !== undefined && facts.features.appMarks === "none") return no(rule.id, "apps");
    if (selection.services?.length === 0) return refuse("policy.contradiction", { rule: rule.id, with: "icmp, ports" });
    for (const family of families) {
      const lines = selectorsOf(selection, family).length;
      if (lines > maxLines) return no(rule.id, `${lines} combinations`);
    }
  }
  if (apps.tooMany) return no(null, `more than ${maxGroups} groups of programs`);
  return policy.rules.length > maxSetTables ? no(null, `more than ${maxSetTables} rules`) : null;
}

function otherVpnOf({ facts }: Ground): No {
  const other = facts.others.find((o) => o.excludes);
  return other === undefined ? null : refuse("machine.other-vpn", { name: other.name, evidence: other.evidence });
}

/** The inside address must be nobody else's here: not another link's, nor inside a network that is honoured. */
function clashOf(ground: Ground): No {
  for (const own of [...ground.inside[4], ...ground.inside[6]]) {
    const held = ground.links.find((link) => link.addresses.some((a) => hostPrefix(a) === own));
    if (held !== undefined) return refuse("machine.address-clash", { address: addressOf(own), with: held.name });
    const lan = ground.lan.find((l) => covers(l.prefix, own));
    if (lan !== undefined) return refuse("machine.address-clash", { address: addressOf(own), with: lan.prefix });
    const endpoint = ground.endpoints.find((e) => hostPrefix(e.address) === own);
    if (endpoint !== undefined) return refuse("machine.address-clash", { address: addressOf(own), with: "endpoint" });
  }
  return null;
}

function noWayOf(ground: Ground): No {
  for (const { address } of ground.endpoints) {
    if (waysTo(ground, address).length > 0) continue;
    if (ground.ways.length === 0) return refuse("machine.no-uplink");
    return refuse("machine.no-route", { address, family: familyOf(address) });
  }
  return null;
}
