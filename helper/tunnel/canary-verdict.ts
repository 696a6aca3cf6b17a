// Where a leak check's canaries go, and what may be claimed of them afterwards. They go where policy sends nothing by an
// uplink; documentation addresses first, which are nobody's, so that one that leaks reaches no one.
import { canaryPort } from "../contract/message.ts";
import {
  type Address,
  covers,
  familyOf,
  lengthOf,
  parsePrefix,
  type Prefix,
  printAddress,
  rangeOf,
} from "../contract/prefix.ts";
import type { LeakCheck } from "../contract/status.ts";
import type { Flight, Landed, Tally } from "../kernel/canaries.ts";
import type { WireAllowed } from "../kernel/native.ts";
import { goesDirect, type Sent } from "./may-leave.ts";

/** UDP to the discard service. */
export const canary: Sent = { protocol: 17, port: canaryPort };

/** One of each family that has one, for raw frames and for sockets; where both go to the same address it tells them not apart. */
export function canaryTargets(allowed: WireAllowed, random: (below: number) => number): Flight["targets"] {
  const frames = drawTargets(allowed, random);
  const sockets = drawTargets(allowed, random).map((address) => ({
    address,
    bySight: !isNear(allowed, address) && !frames.includes(address),
  }));
  return { sockets, frames };
}

export function judgeCanaries(tally: Tally, blind: Landed["blind"]): Pick<LeakCheck, "verdict" | "evidence"> {
  const { tried, refused, seen, failed } = tally;
  const not = (code: string, data: LeakCheck["evidence"]["data"] = {}) =>
    ({ verdict: "not-checked", evidence: { code, data } }) as const;
  // what was seen was seen, however badly the rest could be
  if (seen > 0) return { verdict: "leaks", evidence: { code: "canaries-seen", data: { seen, tried } } };
  if (tried === 0) return not("canaries-not-sent", { errno: failed });
  if (blind === null) return { verdict: "holds", evidence: { code: "canaries-held", data: { tried, refused } } };
  return blind.why === "missed" ? not("wire-missed", { missed: blind.count }) : not(`wire-${blind.why}`);
}

function drawTargets(allowed: WireAllowed, random: (below: number) => number): Address[] {
  const wanted = allowed.lanes.flatMap((lane) => (lane.direct ? [] : (lane.to ?? [])));
  return ([4, 6] as const).flatMap((family) => {
    const prefixes = [...documentation, ...wanted].filter((p) => familyOf(p) === family && lengthOf(p) > 0);
    const address = prefixes.map((prefix) => within(prefix, random)).find((one) => !goesDirect(allowed, one, canary));
    return address === undefined ? [] : [address];
  });
}

/** RFC 5737 and RFC 3849. */
const documentation = ["203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "2001:db8::/32"]
  .map((text) => parsePrefix(text))
  .filter((prefix): prefix is Prefix => prefix !== undefined);

/** Where there are others, neither the first nor the last, which may be a broadcast. */
function within(prefix: Prefix, random: (below: number) => number): Address {
  const { family, first, last } = rangeOf(prefix);
  const room = Number(last - first > 0xffffn ? 0xffffn : last - first);
  return printAddress(family, room < 2 ? first : first + 1n + BigInt(random(room - 1)));
}

function isNear({ near }: WireAllowed, address: Address): boolean {
  return near.some(({ prefix }) => covers(prefix, address));
}
