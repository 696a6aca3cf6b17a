// culvert confirm: the policy that was set for a time stays.
import { answerWith, type Verb } from "./verb.ts";

export const confirm: Verb = {
  arguments: { from: 0, to: 0 },
  run: (context) => answerWith(context, "confirm", {}, () => context.words.say("confirmed", {})),
};
