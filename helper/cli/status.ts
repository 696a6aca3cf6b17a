// culvert status: where this machine's traffic goes.
import { answerWith, type Verb } from "./verb.ts";

export const status: Verb = {
  arguments: { from: 0, to: 0 },
  run: (context) => answerWith(context, "status", {}, context.words.status),
};
