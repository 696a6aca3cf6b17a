// culvert prove [NODE]: the proof of what stands, or of what connecting would lay; or the packet that breaks it.
import { tellProven } from "./tell.ts";
import { findNode, finish, refused, type Verb } from "./verb.ts";

export const prove: Verb = {
  arguments: { from: 0, to: 1 },
  async run(context) {
    const [asked] = context.args;
    const node = asked === undefined ? null : await findNode(context.client, asked);
    if (node?.ok === false) return refused(context, node.refusal);
    const answer = await context.client.request("prove", { node: node?.value.id ?? null });
    const code = finish(context, answer, (p) => tellProven(context.words, p));
    return answer.ok && answer.value.counterexample !== null ? 1 : code;
  },
};
