// culvert down: disconnects and restores the machine.
import { answerWith, type Verb } from "./verb.ts";

export const down: Verb = {
  arguments: { from: 0, to: 0 },
  run: (context) => answerWith(context, "disconnect", {}, context.words.status),
};
