// Everything a machine can ask of an address: what the classes are made from. The kernel's own questions come first (its
// multicast and link-local rules), then those of rules and nft lines, then each address of the machine, because a chosen
// source is one of them.
import { hostPrefix } from "../contract/prefix.ts";
import { broadcast4, linkLocal6, localMulticast4, multicast4, multicast6, oneOf } from "./fib.ts";
import { setOf } from "./hooks.ts";
import type { Machine } from "./machine.ts";
import type { PrefixSet } from "./packet.ts";
import { labels } from "./source.ts";

export function* questions(machine: Machine): Generator<PrefixSet> {
  yield* [multicast4, localMulticast4, broadcast4, multicast6, linkLocal6, ...labels];
  for (const { address } of machine.addresses) yield oneOf(hostPrefix(address));
  for (const rule of machine.rules) {
    if (rule.from) yield oneOf(rule.from);
    if (rule.to) yield oneOf(rule.to);
  }
  for (const table of machine.nft)
    for (const { rules } of table.chains)
      for (const { matches } of rules)
        for (const match of matches) {
          if ("prefix" in match) yield oneOf(match.prefix);
          if ("set" in match) yield setOf(table, match.set);
        }
}
