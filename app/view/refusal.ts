// A refusal in words. The code chooses the sentence; its data fills it. A node is named as the person named it; what a
// sentence needs and the data lacks is said by a word of its own ("the node"), never left as a hole.
import type { Node } from "../../helper/contract/node.ts";
import type { PolicyRule } from "../../helper/contract/policy.ts";
import type { Refusal } from "../../helper/contract/refusal.ts";
import { say, type Part, type Say } from "./say.ts";

/** Where a sentence says {{what}}, it is the first of these that the refusal has. */
const subjects = ["what", "text", "key", "name", "address", "doing", "property"] as const;

/** What a rule can ask for and a helper may not be able to do; the helper names it by the rule's field. */
export const cannot = ["apps", "users", "source", "names", "protocol", "ports", "mode only"] as const;

interface Known {
  readonly nodes?: readonly Node[];
  readonly rules?: readonly PolicyRule[];
}

export function sayRefusal(refusal: Refusal, { nodes = [], rules = [] }: Known = {}): Say {
  const data: Record<string, Part> = {};
  for (const [name, value] of Object.entries(refusal.data)) {
    if (value !== null && typeof value !== "boolean") data[name] = value;
  }
  const line = data["line"];
  const where = typeof line === "number" && line > 0 ? say("refusal.where.line", { line }) : say("refusal.where.file");
  const node = nodeName(refusal, nodes) ?? say("refusal.where.node");
  const what = subjects.map((name) => data[name]).find((value) => value !== undefined);
  const gaps = { text: "…", on: "…", with: "…", name: "…", packet: "…", property: "…", remedy: "…" };
  const rule = rules.find((one) => one.id === data["rule"])?.name ?? "…";
  const all = { ...gaps, ...data, node, where, what: what ?? node, rule };
  if (refusal.code === "policy.unsupported") return sayUnsupported(all);
  return say(`refusal.${refusal.code}`, all);
}

function sayUnsupported(data: Readonly<Record<string, Part>>): Say {
  const field = cannot.find((one) => one === data["with"]);
  const words = { ...data, with: field === undefined ? (data["with"] ?? "…") : say(`cannot.${field}`) };
  return say(data["rule"] === "…" ? "refusal.policy.unsupported" : "refusal.policy.unsupported-rule", words);
}

/** Refusals carry a node's id, which is a key: nobody knows a node by that. */
function nodeName({ data }: Refusal, nodes: readonly Node[]): string | null {
  const known = nodes.find((one) => one.id === data["node"]);
  if (known !== undefined) return known.name;
  return typeof data["name"] === "string" ? data["name"] : null;
}
