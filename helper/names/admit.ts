// Which addresses an answer may put into a rule's set. Whoever answers for a public name could otherwise open the way to
// what is near (DNS rebinding), or close what everything stands on. Never: what is no single host of the world (loopback,
// link-local, multicast, 0/8, 240/4), this machine's own, its links' networks, the node, resolvers. Into a direct rule also
// nothing private, unless the name belongs to a domain whose own resolver policy names.
import type { Policy } from "../contract/policy.ts";
import { claims } from "../contract/name.ts";
import { type Address, addressOf, covers, hostPrefix, networkOf, type Prefix } from "../contract/prefix.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { linkName } from "../plan/numbers.ts";
import { namedServers, rulesOf } from "../plan/names.ts";

export interface Near {
  readonly policy: Policy;
  readonly facts: Pick<Facts, "addresses"> | null;
  readonly exit: Exit | null;
}

export function isAdmitted(name: string, address: Address, { policy, facts, exit }: Near): boolean {
  const within = (prefixes: readonly Prefix[]): boolean => prefixes.some((prefix) => covers(prefix, address));
  if (within(noHosts)) return false;
  const own = facts?.addresses.filter((a) => a.link !== linkName).map((a) => networkOf(a.address)) ?? [];
  const inside = exit?.inside.map((a) => hostPrefix(addressOf(a))) ?? [];
  const stoodOn = [...(exit === null ? [] : [exit.endpoint.address, ...exit.dns]), ...namedServers(policy)];
  if (within([...own, ...inside]) || stoodOn.includes(address)) return false;
  if (!within(privateSpace)) return true;
  const direct = rulesOf(policy, name).some((place) => policy.rules[place]?.lane === "direct");
  return !direct || (policy.dns.domains ?? []).some(({ domain }) => claims(domain, name));
}

/** RFC 6890 and the registries of special addresses behind it. */
const noHosts = [
  ...["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"],
  ...["::/96", "::ffff:0:0/96", "fe80::/10", "fec0::/10", "ff00::/8"],
] as Prefix[];
/** RFC 1918, RFC 6598, RFC 4193; RFC 6052 and RFC 8215: IPv4 in IPv6, which may be any of those. */
const privateSpace = [
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15"],
  ...["fc00::/7", "64:ff9b::/96", "64:ff9b:1::/48"],
] as Prefix[];
