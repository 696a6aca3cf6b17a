// The packet after nat has led it to this machine itself (nft redirect in output: 127.0.0.1 or ::1, at another port).
import type { Address, Family } from "../contract/prefix.ts";
import type { Route } from "./machine.ts";
import { first, type Packet } from "./packet.ts";
import { coversQuickly } from "./words.ts";

export function redirected(packet: Packet, port: number): Packet {
  const address = here[packet.family];
  const led: Packet = {
    ...packet,
    destinationAddress: address,
    destination: (set) => set.prefixes.some((prefix) => coversQuickly(prefix, address)),
    dport: (from, to) => from <= port && port <= to,
    // its way is said without asking routes (walk.ts)
    covering: () => noRoutes,
    // what is remembered is remembered of the packet as it was
    summed: (_part, of) => of(led),
    firstOf: (parts, of) => first(parts, (part) => of(part, led)),
  };
  return led;
}

/** nf_nat_redirect.c, NF_INET_LOCAL_OUT */
const here = { 4: "127.0.0.1", 6: "::1" } as Readonly<Record<Family, string>> as Readonly<Record<Family, Address>>;
const noRoutes: readonly Route[] = [];
