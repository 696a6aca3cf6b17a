// What a person should know of rules and of the plan they make. Notes cross the socket as a code with data; the words are
// here. A rule is named as the person named it; a note that the catalogue does not know is shown as it came.
import { machineCodes, planCodes, ruleCodes, sessionCode } from "../../helper/contract/note-codes.ts";
import type { PolicyRule } from "../../helper/contract/policy.ts";
import type { Note } from "../../helper/contract/verdict.ts";
import { say, type Part, type Say } from "./say.ts";

/** Those of the machine have their words among the notices. */
export const noteCodes: readonly string[] = [...ruleCodes, ...planCodes, sessionCode];
const notices: readonly string[] = machineCodes;

export function sayNote({ code, data }: Note, rules: readonly PolicyRule[]): Say {
  if (notices.includes(code)) return say(`notice.${code}`);
  const named: Record<string, Part> = {};
  for (const [name, value] of Object.entries(data)) {
    // a rule is a key in the helper, and nobody knows it by that
    named[name] = rules.find((one) => one.id === value)?.name ?? String(value ?? "–");
  }
  if (noteCodes.includes(code)) return say(`note.${code}`, named);
  return say("note.other", {
    text: [code, ...Object.entries(data).map(([name, value]) => `${name}=${String(value)}`)].join(" "),
  });
}
