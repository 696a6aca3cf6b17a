// What keeps a connection over which somebody works on this machine from afar, made of what a refusal (policy.cuts-session) or
// a note says of it.
import type { Policy, Welcome } from "./policy.ts";
import { hostPrefix, parseAddress } from "./prefix.ts";
import type { Refusal } from "./refusal.ts";

/** The policy with a welcome for this caller, and nobody else; as it was where it says so already. */
export function welcoming(policy: Policy, { from, port }: Refusal["data"]): Policy {
  const address = parseAddress(String(from));
  if (address === undefined) return policy;
  const more: Welcome = { protocol: "tcp", port: Number(port), from: [hostPrefix(address)] };
  const known = policy.welcome.some((w) => JSON.stringify(w) === JSON.stringify(more));
  return known ? policy : { ...policy, welcome: [...policy.welcome, more] };
}
