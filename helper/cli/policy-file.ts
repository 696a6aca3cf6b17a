// A policy in a file: read and checked here already, so that what is wrong with it is said without the helper.
import { readFileSync } from "node:fs";

import { type Policy, policySchema } from "../contract/policy.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";

export function readPolicy(path: string): Answer<Policy> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return refuse("conf.not-text", { line: 0, text: path });
  }
  const parsed = policySchema.safeParse(value);
  if (parsed.success) return grant(parsed.data);
  return refuse("call.malformed", { at: parsed.error.issues[0]?.path.map(String).join(".") ?? "" });
}
