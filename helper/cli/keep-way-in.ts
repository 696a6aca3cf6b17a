// "Keep my way in": before a policy stands that would end a session from afar, the person hears of it, and nothing has
// changed. Then --keep welcomes the caller, --within tries it for a time, --anyway goes on.
import { sessionCode } from "../contract/note-codes.ts";
import type { Policy } from "../contract/policy.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { welcoming } from "../contract/way-in.ts";
import type { Context } from "./verb.ts";

/** The policy to go on with: as it is, or with a welcome for whoever works here from afar. */
export async function keepWayIn(context: Context, node: string | null, policy: Policy): Promise<Answer<Policy>> {
  const { keep, anyway, within } = context.options;
  if (anyway || within !== undefined) return grant(policy);
  const checked = await context.client.request("check", { node, policy });
  // what else is wrong with it says who is asked to do it
  if (!checked.ok) return grant(policy);
  const cut = checked.value.lints.filter((note) => note.code === sessionCode);
  const [first] = cut;
  if (first === undefined) return grant(policy);
  if (!keep) return refuse("policy.cuts-session", first.data);
  return grant(cut.reduce((kept, { data }) => welcoming(kept, data), policy));
}
