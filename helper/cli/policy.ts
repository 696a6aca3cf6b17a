// culvert policy [get]: the saved policy as JSON. culvert policy set FILE: saves one (and applies it when connected).
import { readFileSync } from "node:fs";

import { policySchema } from "../contract/policy.ts";
import { answerWith, refused, type Verb } from "./verb.ts";

export const policy: Verb = {
  arguments: { from: 0, to: 2 },
  async run(context) {
    const [what = "get", path] = context.args;
    if (what === "get" && path === undefined) {
      return answerWith(context, "policy", {}, (p) => JSON.stringify(p, null, 2));
    }
    if (what !== "set" || path === undefined) {
      context.note(context.words.say("usage", {}));
      return 2;
    }
    const parsed = policySchema.safeParse(readJson(path));
    if (!parsed.success) {
      const at = parsed.error.issues[0]?.path.map(String).join(".") ?? "";
      return refused(context, { code: "call.malformed", data: { at } });
    }
    return answerWith(context, "setPolicy", { policy: parsed.data }, context.words.status);
  },
};

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
