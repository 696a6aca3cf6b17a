// culvert watch: every state as it comes, until interrupted; with --json every event, one a line.
import { refused, type Verb } from "./verb.ts";

export const watch: Verb = {
  arguments: { from: 0, to: 0 },
  async run(context) {
    let shown = "";
    context.client.onEvent((event) => {
      if (context.json) return context.print(JSON.stringify(event));
      if (event.event !== "status") return;
      const text = context.words.state(event.data.state);
      if (text !== shown) context.print(text);
      shown = text;
    });
    const first = await context.client.request("subscribe", {});
    if (!first.ok) return refused(context, first.refusal);
    shown = context.words.state(first.value.state);
    context.print(context.json ? JSON.stringify({ event: "status", data: first.value }) : shown);
    await context.client.ended;
    return refused(context, { code: "helper.not-running", data: {} });
  },
};
