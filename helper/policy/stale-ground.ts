// What every part of the search for leftovers asks, and how a finding is written.
import { parsePrefix } from "../contract/prefix.ts";
import type { Finding } from "../contract/verdict.ts";
import type { Evidence } from "../plan/evidence.ts";
import type { Facts, RouteFact } from "../plan/facts.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, mainTable } from "../plan/numbers.ts";
import { printRemoval, printReturn } from "../plan/removal.ts";
import type { Removal } from "../plan/removal.ts";
import { tunnelPrograms } from "../plan/signs.ts";

export interface Stale {
  readonly finding: Finding;
  readonly remedy: readonly Removal[];
}

export const staleCodes = [
  /** Rules and nft tables of a wg-quick whose link is gone. */
  "stale.wg-quick",
  /** Rules, routes and nft tables of a program that does not run. */
  "stale.program",
  /** A persistent TUN that nobody holds: what is routed there is swallowed. */
  "stale.adapter",
  /** The way to a server outside of a tunnel that is gone. */
  "stale.host-route",
  /** A route by a gateway that is on no network of its link any more. */
  "stale.gateway-gone",
  /** A route by a gateway that does not answer. */
  "stale.gateway-silent",
  /** A route that refuses everything, and wins. */
  "stale.blackhole",
  /** Of an older run of our own. */
  "stale.own",
  /** Servers of a tunnel that is gone. */
  "stale.names",
] as const;

/** ARPHRD_ETHER */
export const ethernet = 1;
export const privateSpace = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"]
  .map((text) => parsePrefix(text))
  .filter((prefix) => prefix !== undefined);

export function isHeldTunnel(facts: Facts, name: string): boolean {
  const link = facts.links.find((l) => l.name === name);
  if (link === undefined || name === linkName || !link.up) return false;
  return (
    ["wireguard", "xfrm", "vti", "gre", "ipip", "sit"].includes(link.kind) ||
    (link.type !== ethernet && !link.loopback && link.carrier)
  );
}

/** Whether any tunnel that is not ours is up, or a program that makes one runs. */
export function somebodyTunnels(facts: Facts, { programs }: Evidence): boolean {
  return (
    facts.links.some((l) => isHeldTunnel(facts, l.name)) || tunnelPrograms.some((program) => programs.includes(program))
  );
}

export function inMain(facts: Facts): readonly RouteFact[] {
  return facts.routes.filter((r) => r.table === mainTable && !isOwnRoute(r) && r.legs.every((l) => l.dev !== linkName));
}

export function stale(
  code: (typeof staleCodes)[number],
  key: string,
  data: Finding["data"],
  author: string | null,
  remedy: readonly Removal[],
): Stale {
  const id = `${code.slice("stale.".length)}-${key.replaceAll(/[^\w.-]+/g, "-")}`.slice(0, 80);
  const what = remedy.map(
    (thing) => printReturn(thing) ?? printRemoval(thing).replace(" del ", " add ").replace(" delete ", " add "),
  );
  const commands = remedy.map(printRemoval);
  return {
    finding: { ...{ id, kind: "stale", code, data, author }, what: what.slice(0, 64), remedy: commands.slice(0, 64) },
    remedy,
  };
}
