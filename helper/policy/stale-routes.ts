// Routes of main that lead nowhere any more, or stop what should go: a server's way round a tunnel that is gone, gateways that
// went or fell silent, refusals that win.
import { addressOf, covers, hostPrefix, lengthOf } from "../contract/prefix.ts";
import type { Address, Family } from "../contract/prefix.ts";
import type { Evidence } from "../plan/evidence.ts";
import type { Facts, RouteFact } from "../plan/facts.ts";
import { protocolKernel } from "../plan/numbers.ts";
import type { Removal } from "../plan/removal.ts";
import { ethernet, inMain, privateSpace, somebodyTunnels, stale } from "./stale-ground.ts";
import type { Stale } from "./stale-ground.ts";

/** OpenVPN and openconnect lay their server's address by the gateway of the default, of protocol boot as `ip` does. */
export function hostRoutes(facts: Facts, evidence: Evidence): readonly Stale[] {
  if (somebodyTunnels(facts, evidence)) return [];
  const defaults = inMain(facts).filter((r) => r.type === "unicast" && lengthOf(r.prefix) === 0);
  return inMain(facts)
    .filter(
      (r) => r.type === "unicast" && r.protocol === boot && lengthOf(r.prefix) === bits(r.family) && r.nexthop === null,
    )
    .flatMap((route): Stale[] => {
      const [leg] = route.legs;
      if (leg === undefined || leg.via === null || route.legs.length !== 1) return [];
      const sameWay = defaults.some((d) => d.legs.some((l) => l.dev === leg.dev && l.via === leg.via));
      if (!sameWay || isPrivate(route)) return [];
      const data = { address: addressOf(route.prefix), link: leg.dev, gateway: leg.via };
      return [stale("stale.host-route", route.prefix, data, "OpenVPN", [{ kind: "route.del", route }])];
    });
}

/** RTPROT_BOOT: what `ip route add` writes when nothing else is said. */
const boot = 3;
const bits = (family: Family): number => (family === 4 ? 32 : 128);
const isPrivate = (route: RouteFact): boolean => privateSpace.some((space) => covers(space, route.prefix));

/** The kernel took the route when the gateway was a neighbour; since then the network it stood on has gone. */
export function gatewaysGone(facts: Facts): readonly Stale[] {
  const main = inMain(facts);
  return main.flatMap((route): Stale[] => {
    const [leg] = route.legs;
    if (leg === undefined || leg.via === null || leg.onlink || route.legs.length !== 1 || leg.via.startsWith("fe80:"))
      return [];
    const { via, dev } = leg;
    const near = main.some(
      (r) =>
        r.type === "unicast" &&
        lengthOf(r.prefix) > 0 &&
        r.legs.some((l) => l.dev === dev && l.via === null) &&
        covers(r.prefix, hostPrefix(via)),
    );
    // a point-to-point link, and so another VPN's, needs no neighbour
    if (near || !facts.links.some((l) => l.name === dev && l.up && l.type === ethernet)) return [];
    const data = { prefix: route.prefix, gateway: via, link: dev };
    return [stale("stale.gateway-gone", `${route.prefix}-${dev}`, data, null, [{ kind: "route.del", route }])];
  });
}

/** Told always; taken away only where another way stands, or the machine would have none at all. */
export function gatewaysSilent(facts: Facts, { silent }: Evidence): readonly Stale[] {
  const asked = (dev: string, via: Address | null): boolean => silent.some((s) => s.link === dev && s.address === via);
  const main = inMain(facts).filter((r) => r.type === "unicast" && r.legs.length === 1);
  return main
    .filter((r) => r.legs.some((leg) => leg.via !== null && asked(leg.dev, leg.via)))
    .map((route) => {
      const [leg] = route.legs;
      const other = main.some(
        (r) => r !== route && r.prefix === route.prefix && r.legs.every((l) => !asked(l.dev, l.via)),
      );
      const data = { prefix: route.prefix, gateway: leg?.via ?? "-", link: leg?.dev ?? "-" };
      const remedy: Removal[] = other || lengthOf(route.prefix) > 0 ? [{ kind: "route.del", route }] : [];
      return stale("stale.gateway-silent", `${route.prefix}-${leg?.dev ?? ""}`, data, null, remedy);
    });
}

/** A refusing default or half: some kill switches leave one. Under a better route it refuses nothing and is a safety net. */
export function refusing(facts: Facts): readonly Stale[] {
  const main = inMain(facts);
  return main
    .filter((r) => ["blackhole", "unreachable", "prohibit"].includes(r.type) && lengthOf(r.prefix) <= 1)
    .filter((r) => r.protocol !== protocolKernel)
    .filter((r) => !main.some((o) => o.type === "unicast" && o.prefix === r.prefix && o.metric < r.metric))
    .map((route) => {
      const data = { prefix: route.prefix, type: route.type };
      return stale("stale.blackhole", route.prefix, data, null, [{ kind: "route.del", route }]);
    });
}
