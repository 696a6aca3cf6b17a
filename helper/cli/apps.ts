// culvert apps: by what the programs of the rules in force are recognised, and what that cannot cover.
// culvert apps reopen [APP]: closes what they opened before they were named.
import type { Apps } from "../contract/apps.ts";
import { printApp } from "../plan/print-apps.ts";
import { parseApp } from "./explain.ts";
import { answerWith, type Verb, wrongUse } from "./verb.ts";
import type { Words } from "./words.ts";

export const apps: Verb = {
  arguments: { from: 0, to: 2 },
  async run(context) {
    const { words } = context;
    const [order, name] = context.args;
    if (order === undefined) return answerWith(context, "apps", {}, (told) => tellApps(words, told));
    if (order !== "reopen") return wrongUse(context);
    const app = name === undefined ? null : parseApp(name);
    if (name !== undefined && app === null) {
      context.note(words.say("no-program", { name }));
      return 2;
    }
    return answerWith(context, "reopen", { apps: app === null ? null : [app] }, ({ closed }) =>
      words.say("reopened", { count: closed }),
    );
  },
};

function tellApps(words: Words, { apps: held, limits }: Apps): string {
  const lines = held.map(({ app, by, processes, older }) =>
    [
      words.say("app", { app: printApp(app), by: words.held(by) }),
      ...(processes === null ? [] : [words.say("app-runs", { count: processes })]),
      ...(older === 0 ? [] : [words.say("app-older", { count: older })]),
    ].join("; "),
  );
  return [
    ...(lines.length === 0 ? [words.say("no-apps", {})] : lines),
    ...(held.some(({ older }) => older > 0) ? [words.say("reopen-hint", {})] : []),
    "",
    words.say("app-limits", {}),
    ...limits.map((limit) => `- ${words.appLimit(limit)}`),
  ].join("\n");
}
