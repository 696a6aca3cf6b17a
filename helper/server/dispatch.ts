// One line from a caller → one reply. In order: is it JSON, is it a call, is the name known, do the parameters parse; only
// then a handler sees it. Whatever fails is a refusal and changes nothing; a handler that throws is logged whole here and
// told to the caller as helper.failed, because what broke may hold what a caller must not see.
import { z } from "zod";

import type { HelperEvent, Params, Reply, RequestName, Result } from "../contract/message.ts";
import { protocolVersion, requests } from "../contract/message.ts";
import type { Answer, Refusal } from "../contract/refusal.ts";
import { refuse } from "../contract/refusal.ts";

type Handled = Exclude<RequestName, "hello" | "subscribe">;

/** What serves the socket; `status` also answers `subscribe`. */
export type Handlers = {
  readonly [N in Handled]: (params: Params<N>) => Promise<Answer<Result<N>>>;
};

export interface Hub {
  readonly version: string;
  readonly handlers: Handlers;
  /** Events from here on; gives back its own end. */
  subscribe(listener: (event: HelperEvent) => void): () => void;
}

/** One connection's memory. */
export interface Caller {
  greeted: boolean;
  running: number;
  /** Begins sending events to this caller; twice is once. */
  subscribe(): void;
}

export interface Served {
  readonly reply: Reply;
  /** Nothing more is read from this caller. */
  readonly close: boolean;
}

/** Requests of one caller under way at the same time: the window has a handful. */
export const maxRunning = 32;

const envelope = z.strictObject({
  id: z.int().min(0).max(Number.MAX_SAFE_INTEGER),
  call: z.string().max(60),
  params: z.unknown(),
});

export async function dispatch(
  hub: Hub,
  caller: Caller,
  line: string,
  failed: (call: string, error: unknown) => void,
): Promise<Served> {
  const call = envelope.safeParse(parseJson(line));
  if (!call.success) return no(null, refuse("call.malformed").refusal, !caller.greeted);
  const { id, call: name, params } = call.data;
  if (!isRequest(name)) return no(id, refuse("call.unknown", { call: name }).refusal, !caller.greeted);
  const parsed = requests[name].params.safeParse(params ?? {});
  if (!parsed.success) return no(id, refuse("call.malformed", { at: whereOf(parsed.error) }).refusal, !caller.greeted);
  if (name === "hello") return hello(hub, caller, id, parsed.data);
  if (!caller.greeted) return no(id, refuse("call.version", { version: protocolVersion }).refusal, true);
  if (caller.running >= maxRunning) return no(id, refuse("call.busy").refusal, false);
  caller.running += 1;
  try {
    // listening begins before the status is taken, so that nothing falls between the two
    if (name === "subscribe") caller.subscribe();
    const answer = await handle(hub.handlers, name === "subscribe" ? "status" : name, parsed.data);
    return answer.ok ? { reply: { id, ok: true, result: answer.value }, close: false } : no(id, answer.refusal, false);
  } catch (error) {
    failed(name, error);
    return no(id, refuse("helper.failed", { call: name }).refusal, false);
  } finally {
    caller.running -= 1;
  }
}

function hello(hub: Hub, caller: Caller, id: number, params: unknown): Served {
  const version = requests.hello.params.parse(params).version;
  if (version !== protocolVersion) {
    return no(id, refuse("call.version", { version: protocolVersion, helper: hub.version }).refusal, true);
  }
  caller.greeted = true;
  return { reply: { id, ok: true, result: { version: protocolVersion, helper: hub.version } }, close: false };
}

/** The parameters were parsed with the schema of `name`, which is what makes this cast sound. */
function handle<N extends Handled>(handlers: Handlers, name: N, params: unknown): Promise<Answer<Result<N>>> {
  return handlers[name](params as Params<N>);
}

function isRequest(name: string): name is RequestName {
  return Object.hasOwn(requests, name);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Where the first fault is, without what stood there. */
function whereOf(error: z.ZodError): string {
  return (error.issues[0]?.path ?? []).map(String).join(".").slice(0, 100);
}

function no(id: number | null, refusal: Refusal, close: boolean): Served {
  return { reply: { id, ok: false, refusal }, close };
}
