// What a person should know of a plan that stands. Notes cross the socket as one line each, `code key=value …`; the words
// are here. A rule is named as the person named it; a note that the catalogue does not know is shown as it came.
import type { PolicyRule } from "../../helper/contract/policy.ts";
import { say, type Part, type Say } from "./say.ts";

export const noteCodes = [
  "lan.unapproved",
  "rule.behind-lan",
  "rule.dead",
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
] as const;

/** Of the machine rather than of the plan: the catalogue has them among the notices. */
const notices: readonly string[] = ["gate.no-device-prefix", "gate.no-owner"];

export function sayNote(text: string, rules: readonly PolicyRule[]): Say {
  const [code = "", ...words] = text.split(" ");
  if (notices.includes(code)) return say(`notice.${code}`);
  if (!noteCodes.some((one) => one === code)) return say("note.other", { text });
  const data: Record<string, Part> = {};
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals > 0) data[word.slice(0, equals)] = word.slice(equals + 1);
  }
  const rule = rules.find((one) => one.id === data["rule"])?.name;
  return say(`note.${code}`, rule === undefined ? data : { ...data, rule });
}
