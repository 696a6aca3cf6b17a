// culvert watch: every state and every change that others make to the machine, as they come, until interrupted; with --json
// every event, one a line.
import type { Drift, Status } from "../contract/status.ts";
import { refused, type Verb } from "./verb.ts";

export const watch: Verb = {
  arguments: { from: 0, to: 0 },
  async run(context) {
    const { words, print } = context;
    let shown = "";
    let told: readonly string[] = [];
    const show = (status: Status): void => {
      const text = words.state(status.state);
      if (text !== shown) print(text);
      shown = text;
      const lines = status.drift.map((d) => [keyOf(d), words.drift(d)] as const);
      for (const [key, line] of lines) if (!told.includes(key)) print(line);
      told = lines.map(([key]) => key);
    };
    context.client.onEvent((event) => {
      if (context.json) return print(JSON.stringify(event));
      if (event.event === "status") show(event.data);
    });
    const first = await context.client.request("subscribe", {});
    if (!first.ok) return refused(context, first.refusal);
    if (context.json) print(JSON.stringify({ event: "status", data: first.value }));
    else show(first.value);
    await context.client.ended;
    return refused(context, { code: "helper.not-running", data: {} });
  },
};

/** The same change, once mended or offered, is told again. */
function keyOf({ at, what, mended, finding }: Drift): string {
  return [at, what, mended, finding ?? ""].join(" ");
}
