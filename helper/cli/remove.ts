// culvert remove NODE: forgets a node and its keys.
import { answerWith, findNode, refused, type Verb } from "./verb.ts";

export const remove: Verb = {
  arguments: { from: 1, to: 1 },
  async run(context) {
    const node = await findNode(context.client, context.args[0] ?? "");
    if (!node.ok) return refused(context, node.refusal);
    return answerWith(context, "remove", { node: node.value.id }, () =>
      context.words.say("removed", { node: node.value.name }),
    );
  },
};
