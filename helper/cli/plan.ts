// culvert plan [NODE]: the plan as `ip` and `nft` text, not applied.
import { answerWith, findNode, refused, type Verb } from "./verb.ts";

export const plan: Verb = {
  arguments: { from: 0, to: 1 },
  async run(context) {
    const [asked] = context.args;
    const node = asked === undefined ? null : await findNode(context.client, asked);
    if (node?.ok === false) return refused(context, node.refusal);
    return answerWith(context, "plan", { node: node?.value.id ?? null, policy: null }, (p) => {
      for (const note of p.notes) context.note(note);
      return p.text.trimEnd();
    });
  },
};
