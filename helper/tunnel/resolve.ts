// The endpoint's name → addresses, by the system's resolver. Asked while the gate is open; what came is remembered, because
// behind the closed gate nothing may ask, and a reconnect must not depend on a resolver that is reached through the tunnel.
import { lookup } from "node:dns/promises";

import { type Address, familyOf, parseAddress } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";

/** glibc asks each server for 5 s twice; whoever clicked waits less. */
const resolveMs = 4000;

export type Resolve = (host: string) => Promise<readonly Address[]>;

export const systemResolve: Resolve = async (host) => {
  const found = await lookup(host, { all: true, order: "verbatim" });
  return found.flatMap(({ address }) => parseAddress(address) ?? []);
};

export async function resolveHost(host: string, ask: Resolve): Promise<Answer<readonly Address[]>> {
  const literal = parseAddress(host);
  if (literal !== undefined) return grant([literal]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never[]>((resolve) => {
    timer = setTimeout(resolve, resolveMs, []);
  });
  const addresses = await Promise.race([ask(host).catch(() => []), late]);
  clearTimeout(timer);
  return addresses.length === 0 ? refuse("node.name-not-found", { name: host }) : grant(addresses);
}

/** Those of a family that an uplink has a way for come first; the resolver's order stays otherwise. */
export function byFamily(addresses: readonly Address[], families: readonly number[]): readonly Address[] {
  const reachable = addresses.filter((a) => families.includes(familyOf(a)));
  return [...reachable, ...addresses.filter((a) => !reachable.includes(a))];
}
