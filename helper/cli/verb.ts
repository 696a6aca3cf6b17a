// What a verb of the command gets and gives. One file a verb; culvert.ts names them all.
import type { Params, RequestName, Result } from "../contract/message.ts";
import type { Node } from "../contract/node.ts";
import { type Answer, grant, refuse, type Refusal } from "../contract/refusal.ts";
import type { Client } from "./client.ts";
import type { Words } from "./words.ts";

export interface Context {
  readonly words: Words;
  readonly json: boolean;
  readonly args: readonly string[];
  readonly name: string | undefined;
  readonly options: Options;
  readonly client: Client;
  /** To standard output: the answer. */
  readonly print: (text: string) => void;
  /** To standard error: what is said beside it. */
  readonly note: (text: string) => void;
}

/** What single verbs understand beside their arguments. */
export interface Options {
  readonly app: string | undefined;
  readonly user: string | undefined;
  readonly from: string | undefined;
  readonly device: string | undefined;
  readonly incoming: string | undefined;
  readonly policy: string | undefined;
  readonly node: string | undefined;
  readonly at: string | undefined;
  readonly within: string | undefined;
  /** What to do about a session from afar that would end. */
  readonly keep: boolean;
  readonly anyway: boolean;
  readonly diff: boolean;
  readonly all: boolean;
}

/** 0 done, 1 refused, 2 wrong use, 3 no helper, 4 not allowed: for scripts. */
export type ExitCode = 0 | 1 | 2 | 3 | 4;
export interface Verb {
  readonly arguments: { readonly from: number; readonly to: number };
  run(context: Context): Promise<ExitCode>;
}

/** Asks, prints the answer as JSON or by `show`, or says the refusal. */
export async function answerWith<N extends RequestName>(
  context: Context,
  name: N,
  params: Params<N>,
  show: (result: Result<N>) => string,
): Promise<ExitCode> {
  return finish(context, await context.client.request(name, params), show);
}

export function finish<T>(context: Context, answer: Answer<T>, show: (value: T) => string): ExitCode {
  if (!answer.ok) return refused(context, answer.refusal);
  context.print(context.json ? JSON.stringify(answer.value) : show(answer.value));
  return 0;
}

export function refused(context: Pick<Context, "json" | "words" | "print" | "note">, refusal: Refusal): ExitCode {
  if (context.json) context.print(JSON.stringify({ refusal }));
  else context.note(context.words.refusal(refusal));
  if (refusal.code === "helper.not-running") return 3;
  return refusal.code === "call.not-allowed" ? 4 : 1;
}

export function wrongUse(context: Pick<Context, "words" | "note">): ExitCode {
  context.note(context.words.say("usage", {}));
  return 2;
}

/** By key, by name whatever its case, or by the only name that begins so. */
export async function findNode(client: Client, asked: string): Promise<Answer<Node>> {
  const nodes = await client.request("nodes", {});
  if (!nodes.ok) return nodes;
  const lower = asked.toLowerCase();
  const exact = nodes.value.filter((n) => n.id === asked || n.name.toLowerCase() === lower);
  const begins = nodes.value.filter((n) => n.name.toLowerCase().startsWith(lower));
  const [found, another] = exact.length > 0 ? exact : begins;
  if (found === undefined || another !== undefined) return refuse("node.unknown", { node: asked });
  return grant(found);
}
