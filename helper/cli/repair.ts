// culvert repair: what others changed or left behind on this machine. culvert repair ID, or --all: puts it right.
import { tellFinding } from "./tell.ts";
import { answerWith, finish, type Verb } from "./verb.ts";

export const repair: Verb = {
  arguments: { from: 0, to: 1 },
  async run(context) {
    const { words, options } = context;
    const [id] = context.args;
    if (id === undefined && !options.all) {
      return answerWith(context, "findings", {}, (list) =>
        list.length === 0
          ? words.say("nothing-found", {})
          : list.map((finding) => tellFinding(words, finding)).join("\n"),
      );
    }
    const answer = await context.client.request("repair", { id: id ?? null });
    const code = finish(context, answer, ({ done, left }) =>
      [
        ...done,
        ...left.map((f) => words.say("still", { id: f.id, what: f.what[0] ?? f.code })),
        ...(left.length === 0 ? [words.say("repaired", {})] : []),
      ].join("\n"),
    );
    return answer.ok && answer.value.left.length > 0 ? 1 : code;
  },
};
