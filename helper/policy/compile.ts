// policy + facts + exit → plan. This file is the table of contents; each line's file says why it is so. The order in
// which a packet meets the rules:
//   4000 engine → 4010 its stop → 4100 from inside → 4110 from outside → 4130 names for the direct lane →
//   4150 the node's resolver → 4160… what rules say of the LAN → 4350 LAN → 4400… rules in the policy's order →
//   4900 catch-all → 4910 stop (IPv6); in the forms that lie in main, and in mode "only", main itself
// The LAN stands before the rules: a rule names networks of the world, and the machine's own link is none of them, unless
// the rule says so (lanes.ts).
import type { Answer } from "../contract/refusal.ts";
import { grant } from "../contract/refusal.ts";
import type { Family } from "../contract/prefix.ts";
import type { Plan, PlanNexthop, PlanRoute, PlanRule } from "../plan/plan.ts";
import { engineRoutes, engineRules, lanRoutes, lanRules } from "./bypass.ts";
import { askingRoutes, askingRules, dnsOf, resolverRules } from "./dns.ts";
import { refusalOf } from "./form.ts";
import { gateOf } from "./gate.ts";
import { families, groundOf } from "./ground.ts";
import type { Ground, Request } from "./ground.ts";
import { identityRoutes, identityRules } from "./identity.ts";
import { laneNexthops, laneRoutes, laneRules, nearRules } from "./lanes.ts";
import { sysctlsOf } from "./sysctls.ts";
import { takeoverRoutes, takeoverRules } from "./takeover.ts";
import { linkOf, tunnelRoutes } from "./tunnel.ts";

export function compile(request: Request): Answer<Plan> {
  if (request.exit === null && request.state !== "off" && request.state !== "locked")
    throw new Error(`a plan for ${request.state} needs an exit`);
  const ground = groundOf(request);
  const refused = refusalOf(ground);
  if (refused !== null) return refused;
  return grant(request.state === "off" ? off(ground) : on(ground));
}

/** What of a plan leads large sets: a change of the uplink is these few objects, before all the rest is compiled again. */
export function compileNexthops(request: Request): readonly PlanNexthop[] {
  const ground = groundOf(request);
  return refusalOf(ground) === null ? nexthopsOf(ground) : [];
}

/** Nothing of ours; but for the closed gate where the kill switch holds from boot on. */
function off(ground: Ground): Plan {
  const nft = ground.policy.killSwitch === "boot" ? gateOf(ground) : [];
  const none = { link: null, nexthops: [], routes: [], rules: [], sysctls: [], dns: null };
  // a gate that lets programs out must know them
  const apps = nft.length > 0 ? ground.apps.plan : null;
  return { state: "off", order: "gate-last", ...none, nft, apps };
}

function on(ground: Ground): Plan {
  const { state } = ground;
  const here = familiesOf(ground);
  return {
    state,
    order: state === "connected" ? "gate-last" : "gate-first",
    link: linkOf(ground),
    nexthops: nexthopsOf(ground),
    routes: here.flatMap((family) => routesOf(ground, family)),
    rules: here.flatMap((family) => rulesOf(ground, family)),
    nft: gateOf(ground),
    sysctls: sysctlsOf(ground),
    dns: dnsOf(ground),
    apps: ground.apps.plan,
  };
}

function familiesOf({ facts }: Ground): readonly Family[] {
  return families.filter((family) => family === 4 || facts.features.ipv6);
}

function nexthopsOf(ground: Ground): readonly PlanNexthop[] {
  return familiesOf(ground).flatMap((family) => laneNexthops(ground, family));
}

function routesOf(ground: Ground, family: Family): readonly PlanRoute[] {
  return [
    ...engineRoutes(ground, family),
    ...askingRoutes(ground, family),
    ...identityRoutes(ground, family),
    ...lanRoutes(ground, family),
    ...laneRoutes(ground, family),
    ...tunnelRoutes(ground, family),
    ...takeoverRoutes(ground, family),
  ];
}

function rulesOf(ground: Ground, family: Family): readonly PlanRule[] {
  return [
    ...engineRules(family),
    ...identityRules(ground, family),
    ...askingRules(ground, family),
    ...resolverRules(ground, family),
    ...nearRules(ground, family),
    ...lanRules(ground, family),
    ...laneRules(ground, family),
    ...takeoverRules(ground, family),
  ];
}
