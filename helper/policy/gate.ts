// The gate: an `inet` table that judges packets by who speaks to whom, and a `netdev` egress chain on every device that
// judges frames, also those no other hook sees. Both repeat the policy independently of routing (P8). Chains end in a
// drop RULE besides their policy (A) and are rewritten in place. Which packets each line is for stands in its note; the
// table of all of it is in helper/README.md.
import type { NftTable } from "../plan/nft.ts";
import { linkName, tableName } from "../plan/numbers.ts";
import { egressChains } from "./gate-egress.ts";
import { inetChains } from "./gate-inet.ts";
import { setsOf } from "./gate-lanes.ts";
import { onlyEgressChains, onlyInetChains } from "./gate-only.ts";
import type { Ground } from "./ground.ts";

export function gateOf(ground: Ground): readonly NftTable[] {
  const { owner, devicePrefix } = ground.facts.features;
  const names = ground.facts.links.filter((l) => !l.loopback && l.name !== linkName).map((l) => l.name);
  const devices = devicePrefix ? ({ kind: "all" } as const) : ({ kind: "names", names } as const);
  const sets = setsOf(ground);
  return [
    {
      family: "inet",
      name: tableName,
      owned: owner,
      sets,
      chains: ground.only ? onlyInetChains(ground) : inetChains(ground),
    },
    {
      family: "netdev",
      name: tableName,
      owned: owner,
      sets,
      chains: ground.only ? onlyEgressChains(ground, devices) : egressChains(ground, devices),
    },
  ];
}
