// culvert reset: takes everything down and undoes every change by the journal, whatever the state.
import { answerWith, type Verb } from "./verb.ts";

export const reset: Verb = {
  arguments: { from: 0, to: 0 },
  run: (context) =>
    answerWith(context, "reset", {}, ({ undone }) => [...undone, context.words.say("reset", {})].join("\n")),
};
