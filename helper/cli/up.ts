// culvert up [NODE]: connects; without a node the one used last.
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { Node } from "../contract/node.ts";
import type { Client } from "./client.ts";
import { answerWith, findNode, refused, type Verb } from "./verb.ts";

export const up: Verb = {
  arguments: { from: 0, to: 1 },
  async run(context) {
    const [asked] = context.args;
    const node = asked === undefined ? await lastNode(context.client) : await findNode(context.client, asked);
    if (!node.ok) return refused(context, node.refusal);
    if (!context.json) context.note(context.words.say("connecting", { node: node.value.name }));
    return answerWith(context, "connect", { node: node.value.id }, context.words.status);
  },
};

async function lastNode(client: Client): Promise<Answer<Node>> {
  const nodes = await client.request("nodes", {});
  if (!nodes.ok) return nodes;
  const [last] = [...nodes.value].sort((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0));
  return last === undefined ? refuse("node.unknown", { node: "" }) : grant(last);
}
