// What a person should know of rules and of the plan they make. Notes cross the socket as a code with data; the words are
// here. A rule is named as the person named it; a note that the catalogue does not know is shown as it came.
import type { PolicyRule } from "../../helper/contract/policy.ts";
import type { Note } from "../../helper/contract/verdict.ts";
import { say, type Part, type Say } from "./say.ts";

export const noteCodes = [
  "lan.unapproved",
  "rule.behind-lan",
  "rule.dead",
  "rule.contradicts",
  "rule.twice",
  "rule.ipv6-blocked",
  "rule.no-family",
  "rule.not-here",
  "rule.itself",
  "rule.idle",
  "rule.opens-all",
  "rule.opens-web",
  "rule.opens-names",
  "rule.opens-port",
  "rule.opens-system",
  "rule.foreign",
  "ipv6.blocked",
  "ipv4.blocked",
  "exit.partial",
  "dns.none",
  "dns.immutable",
  "vpn.beside",
  "uplink.ppp",
  "form.main",
  "form.no-metric",
  "form.outranked",
  "session.cut",
] as const;

/** Of the machine rather than of the plan: the catalogue has them among the notices. */
const notices: readonly string[] = ["gate.no-device-prefix", "gate.no-owner", "nft.old"];

export function sayNote({ code, data }: Note, rules: readonly PolicyRule[]): Say {
  if (notices.includes(code)) return say(`notice.${code}`);
  const named: Record<string, Part> = {};
  for (const [name, value] of Object.entries(data)) {
    // a rule is a key in the helper, and nobody knows it by that
    named[name] = rules.find((one) => one.id === value)?.name ?? String(value ?? "–");
  }
  if (noteCodes.some((one) => one === code)) return say(`note.${code}`, named);
  return say("note.other", {
    text: [code, ...Object.entries(data).map(([name, value]) => `${name}=${String(value)}`)].join(" "),
  });
}
