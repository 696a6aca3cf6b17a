// Broken plans that are still proven, and why that is right. Each reason was found by reading the line and the lines
// around it; a pattern that excuses more than its reason says is a hole in the check.
import type { Mutant } from "./mutants.ts";

interface Reason {
  /** Where the reason holds; absent: everywhere. */
  readonly samples?: RegExp;
  readonly change?: Mutant["change"];
  readonly place: RegExp;
  /** Each of the lines must be like this. */
  readonly line?: RegExp;
  /** One of the two lines must be like this. */
  readonly either?: RegExp;
  readonly reason: string;
}

const reasons: readonly Reason[] = [
  {
    place: /^rules$/,
    change: "without",
    line: /rule 41\d\d from (10\.64|fd00:64)/,
    reason:
      "from an inside address the catch-all leads into the tunnel as well; what would go elsewhere the gate drops",
  },
  {
    place: /^rules$/,
    change: "exchanged",
    either: /rule 41\d\d from (10\.64|fd00:64)/,
    reason: "the engine binds no inside address, and what has one and is bound for a network outside the gate drops",
  },
  {
    place: /^netdev egress$/,
    change: "without",
    line: /oifname "lo" accept/,
    reason: "what this machine sends to itself passes no egress hook (4.1-4.8)",
  },
  {
    samples: /^rules-off-from-boot$/,
    place: /^netdev egress$/,
    change: "exchanged",
    either: /oifname "lo" accept/,
    reason: "what this machine sends to itself passes no egress hook (4.1-4.8)",
  },
  {
    samples: /^(?!welcomed-service)/,
    place: /^(rules|routes)$/,
    change: "without",
    line: /rule 4110 from|table 760[4-9] /,
    reason: "answers to welcomed callers; this plan welcomes nobody, and welcomed-service notices",
  },
  {
    samples: /^(?!welcomed-service)/,
    place: /^rules$/,
    change: "exchanged",
    either: /rule 4110 from/,
    reason: "answers to welcomed callers; this plan welcomes nobody, and welcomed-service notices",
  },
  {
    samples: /^lan-off$/,
    place: /^netdev link\d$/,
    change: "without",
    line: /ARP: own senders only/,
    reason:
      "with the local network off only the gateway is spoken to, which has a line of its own; rules-connected notices",
  },
  {
    place: /^inet output$/,
    change: "without",
    line: /errors about what welcomed callers sent/,
    reason: "no promise: without the error a caller waits for its own timeout",
  },
  {
    samples: /^welcomed-service$/,
    place: /^routes$/,
    change: "without",
    line: /(unreachable|192\.168\.1\.0|2001:db8:7:1::|fe80::).* table 760[4-9] /,
    reason:
      "answers on the link itself take the LAN's table after this one; without an uplink the gate drops what is left",
  },
  {
    place: /^rules$/,
    line: /ip -6 rule 4[4-7]\d\d .*prohibit|ip -6 rule 4900|ip -6 rule 4[4-7]\d\d lookup/,
    reason: "IPv6 asks again with the tunnel's source after a refusal, so the gate's own line is what blocks there",
  },
  {
    place: /^(rules|routes)$/,
    change: "without",
    line: /-6 rule 4910 unreachable|unreachable ::\/0 table 7600/,
    reason:
      "two stops of IPv6, of which either holds while lo is up and no socket names a device; both missing is noticed",
  },
  {
    place: /^inet prerouting$/,
    either: /source routed/,
    reason:
      "on the way in it spares the later lines; what is forwarded meets the same lines at egress, the rest ends here",
  },
  {
    place: /^inet input$/,
    either: /loopback is asked from here alone/,
    reason: "Linux refuses loopback addresses from links itself unless route_localnet is set; the model has it unset",
  },
  {
    place: /^inet input$/,
    change: "without",
    line: /from the tunnel: closed/,
    reason: "the lines after it name a link, or what ends at one: nothing from the tunnel reaches a service by them",
  },
  {
    samples: /^(?!lan-off)/,
    place: /^(inet (input|output)|netdev link\d)$/,
    change: "without",
    line: /"(ND|DHCPv[46]): /,
    reason: "while the local network is honoured its own line covers this; lan-off notices",
  },
  {
    place: /^inet output$/,
    either: /engine's packets to the node, and to nobody else/,
    reason: "routing ends everything else with that mark at its stop, and no later line asks for the mark",
  },
  {
    place: /^inet output$/,
    line: /nobody marks his own packets as answers/,
    reason: "no line of this table trusts the mark; lock 3 does, and forged marks are among the limits",
  },
  {
    place: /^netdev egress$/,
    either: /into the tunnel: lock 2 has judged/,
    reason: "what is source-routed into the tunnel is not beside it, and lock 2 has dropped it before",
  },
];

export function reasonFor(sample: string, mutant: Mutant): string | undefined {
  return reasons.find(
    (r) =>
      (r.samples ?? /^/).test(sample) &&
      (r.change ?? mutant.change) === mutant.change &&
      r.place.test(mutant.place) &&
      mutant.lines.every((line) => (r.line ?? /^/).test(line)) &&
      mutant.lines.some((line) => (r.either ?? /^/).test(line)),
  )?.reason;
}
