// (pure) What `plan` proves and applies: an ordinary policy of twenty rules, and lists of prefixes of any length.
import type { App, Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import type { Prefix } from "../../helper/contract/prefix.ts";
import { policy } from "../../helper/policy/sample-machines.ts";

const lanes: readonly Lane[] = ["direct", "tunnel", "block"];

/** Of each five: a program, ports, networks of both families, networks with a protocol and a port, networks. */
export function twentyRules(): Policy {
  return policy({ rules: Array.from({ length: 20 }, (_, place) => ordinary(place)) });
}

function ordinary(place: number): PolicyRule {
  const id = `rule-${place}`;
  const lane = lanes[place % lanes.length] ?? "direct";
  return { id, name: id, lane, match: matches[place % matches.length]?.(place) ?? {} };
}

const matches: readonly ((place: number) => PolicyRule["match"])[] = [
  (place) => ({ apps: [{ kind: "executable", path: `/usr/bin/program-${place}` } satisfies App] }),
  (place) => ({ protocol: "tcp", ports: [{ from: 1000 + 10 * place, to: 1003 + 10 * place }] }),
  (place) => ({ destination: prefixes(`198.51.${place}.0/24`, `2001:db8:${place + 16}::/48`) }),
  (place) => ({
    destination: prefixes(`198.18.${place}.0/24`),
    protocol: "udp",
    ports: [{ from: 53 + place, to: 53 + place }],
  }),
  (place) => ({ destination: prefixes(`198.19.${place}.0/24`, `203.0.113.${place}/32`) }),
];

/** One rule: these many addresses and networks go direct. */
export function manyPrefixes(count: number): Policy {
  return policy({ rules: [{ id: "many", name: "many", lane: "direct", match: { destination: listOf(count) } }] });
}

/**
 * Scattered over the unicast space, no two joining, as a file of prefixes is: in no order. An odd number times a place is
 * another place each time, so no two are the same.
 */
function listOf(count: number): Prefix[] {
  const texts = Array.from({ length: count }, (_, i) => {
    const at = Math.imul(i, 0x9e37_79b1) >>> 0;
    // every second address of the space, from 1.0.0.0 to 191.255.255.255
    const address = 0x0100_0000 + Math.floor((at / 2 ** 32) * 0x5f80_0000) * 2;
    return `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".")}/32`;
  });
  // as the store reads them: strings of their own, not pieces of others
  return JSON.parse(JSON.stringify([...new Set(texts)])) as Prefix[];
}

const prefixes = (...texts: string[]): Prefix[] => texts as Prefix[];
