// culvert plan [NODE] [--policy FILE] [--diff]: the plan as `ip` and `nft` text, not applied; --diff: what is different from
// what stands.
import { readPolicy } from "./policy-file.ts";
import { tellDifference } from "./tell.ts";
import { answerWith, findNode, refused, type Verb } from "./verb.ts";

export const plan: Verb = {
  arguments: { from: 0, to: 1 },
  async run(context) {
    const { options } = context;
    const [asked] = context.args;
    const node = asked === undefined ? null : await findNode(context.client, asked);
    if (node?.ok === false) return refused(context, node.refusal);
    const policy = options.policy === undefined ? null : readPolicy(options.policy);
    if (policy?.ok === false) return refused(context, policy.refusal);
    const params = { node: node?.value.id ?? null, policy: policy?.value ?? null };
    return answerWith(context, "plan", params, (p) => {
      if (options.diff && p.difference !== undefined) return tellDifference(context.words, p.difference).join("\n");
      for (const note of p.notes) context.note(note);
      return p.text.trimEnd();
    });
  },
};
