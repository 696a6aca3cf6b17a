// culvert leaks: tries every way out that must be shut and says what was seen. Ends with 1 where something leaks.
import type { LeakCheck } from "../contract/status.ts";
import { finish, type Verb } from "./verb.ts";
import type { Words } from "./words.ts";

export const leaks: Verb = {
  arguments: { from: 0, to: 0 },
  async run(context) {
    const answer = await context.client.request("leaks", {});
    const code = finish(context, answer, (checks) => tellChecks(context.words, checks));
    return answer.ok && answer.value.some((check) => check.verdict === "leaks") ? 1 : code;
  },
};

function tellChecks(words: Words, checks: readonly LeakCheck[]): string {
  const rows = checks.map((check) => words.leak(check));
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")).join("\n");
}
