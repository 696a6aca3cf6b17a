// culvert up [NODE]: connects; without a node the one used last.
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { Node } from "../contract/node.ts";
import type { Client } from "./client.ts";
import { keepWayIn } from "./keep-way-in.ts";
import { answerWith, findNode, refused, type Verb } from "./verb.ts";

export const up: Verb = {
  arguments: { from: 0, to: 1 },
  async run(context) {
    const [asked] = context.args;
    const node = asked === undefined ? await lastNode(context.client) : await findNode(context.client, asked);
    if (!node.ok) {
      const none = node.refusal.data["node"] === "" && !context.json;
      if (!none) return refused(context, node.refusal);
      context.note(context.words.say("no-nodes", {}));
      return 1;
    }
    const saved = await context.client.request("policy", {});
    if (!saved.ok) return refused(context, saved.refusal);
    const policy = await keepWayIn(context, node.value.id, saved.value);
    if (!policy.ok) return refused(context, policy.refusal);
    if (policy.value !== saved.value) {
      const set = await context.client.request("setPolicy", { policy: policy.value });
      if (!set.ok) return refused(context, set.refusal);
    }
    if (!context.json) context.note(context.words.say("connecting", { node: node.value.name }));
    const anyway = context.options.anyway ? { anyway: true } : {};
    return answerWith(context, "connect", { node: node.value.id, ...anyway }, context.words.status);
  },
};

async function lastNode(client: Client): Promise<Answer<Node>> {
  const nodes = await client.request("nodes", {});
  if (!nodes.ok) return nodes;
  const [last] = [...nodes.value].sort((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0));
  return last === undefined ? refuse("node.unknown", { node: "" }) : grant(last);
}
