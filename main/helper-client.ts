// The link to the helper: connects, says hello, subscribes, and keeps trying when the helper goes. Requests and what comes
// back are parsed by the contract, lines are bounded, and every request is answered: by the helper, by a refusal when
// there is no link, or by one when its time is over.
import { createConnection, type Socket } from "node:net";

import {
  eventSchema,
  maxLineBytes,
  type HelperEvent,
  type Params,
  protocolVersion,
  replySchema,
  type RequestName,
  requests,
  type Result,
} from "../helper/contract/message.ts";
import { type Answer, grant, refuse, type Refusal } from "../helper/contract/refusal.ts";
import type { HelperLink } from "../preload/bridge.ts";

export interface HelperClient {
  link(): HelperLink;
  request<N extends RequestName>(name: N, params: Params<N>): Promise<Answer<Result<N>>>;
  close(): void;
}

export interface Listener {
  link(link: HelperLink): void;
  event(event: HelperEvent): void;
}

/** What a request may take. Connecting waits for a node to answer, a leak check for its probes; the rest is local. */
const timeoutsMs: Partial<Record<RequestName, number>> = {
  connect: 60_000,
  setPolicy: 60_000,
  leaks: 60_000,
  reset: 60_000,
};
const timeoutMs = 15_000;

/** The helper may say more in a line than it takes in one: a list of many nodes. */
const maxHeardBytes = 8 * maxLineBytes;

/** First and longest pause between two tries; a helper that was just started is found within the first few. */
const retryMs = { first: 250, longest: 4000 };

interface Open {
  readonly socket: Socket;
  readonly waiting: Map<number, { readonly name: RequestName; readonly answer: (answer: Answer<unknown>) => void }>;
  nextId: number;
}

export function openHelper(path: string, client: string, listener: Listener): HelperClient {
  let link: HelperLink = { kind: "absent" };
  let open: Open | undefined;
  let pauseMs = retryMs.first;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const setLink = (next: HelperLink): void => {
    if (JSON.stringify(next) === JSON.stringify(link)) return;
    link = next;
    listener.link(next);
  };

  const connect = (): void => {
    const socket = createConnection(path);
    const mine: Open = { socket, waiting: new Map(), nextId: 0 };
    let why: HelperLink = { kind: "absent" };
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EACCES" || error.code === "EPERM") why = { kind: "not-allowed" };
    });
    socket.on("connect", () => {
      void greet(mine, client).then((got) => {
        if (got.kind === "linked") {
          open = mine;
          pauseMs = retryMs.first;
          setLink(got);
          void subscribe(mine, listener);
        } else {
          why = got;
          socket.destroy();
        }
      });
    });
    readLines(socket, (line) => hear(mine, line, listener));
    socket.on("close", () => {
      if (open === mine) open = undefined;
      refuseAll(mine, refuse("helper.not-running").refusal);
      if (closed) return;
      setLink(why);
      timer = setTimeout(connect, pauseMs);
      pauseMs = Math.min(pauseMs * 2, retryMs.longest);
    });
  };
  connect();

  return {
    link: () => link,
    async request(name, params) {
      if (open === undefined) return refuse(link.kind === "not-allowed" ? "call.not-allowed" : "helper.not-running");
      return ask(open, name, params);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      open?.socket.destroy();
    },
  };
}

async function greet(open: Open, client: string): Promise<HelperLink> {
  const got = await ask(open, "hello", { version: protocolVersion, client });
  if (got.ok && got.value.version === protocolVersion) return { kind: "linked", version: got.value.helper };
  if (got.ok) return { kind: "wrong-version", version: got.value.helper };
  return linkOf(got.refusal);
}

function linkOf(refusal: Refusal): HelperLink {
  if (refusal.code === "call.not-allowed") return { kind: "not-allowed" };
  if (refusal.code !== "call.version") return { kind: "absent" };
  return { kind: "wrong-version", version: String(refusal.data["helper"] ?? refusal.data["version"] ?? "?") };
}

/** What the window must know first comes as events, so that it has one way to learn of anything. */
async function subscribe(open: Open, listener: Listener): Promise<void> {
  const status = await ask(open, "subscribe", {});
  if (status.ok) listener.event({ event: "status", data: status.value });
  const nodes = await ask(open, "nodes", {});
  if (nodes.ok) listener.event({ event: "nodes", data: nodes.value });
}

function ask<N extends RequestName>(open: Open, name: N, params: unknown): Promise<Answer<Result<N>>> {
  const parsed = requests[name].params.safeParse(params);
  if (!parsed.success) return Promise.resolve(refuse("call.malformed", { call: name }));
  const id = open.nextId++;
  const line = `${JSON.stringify({ id, call: name, params: parsed.data })}\n`;
  if (Buffer.byteLength(line) > maxLineBytes) return Promise.resolve(refuse("call.too-big", { call: name }));
  return new Promise((resolve) => {
    const limit = setTimeout(() => {
      open.waiting.delete(id);
      resolve(refuse("helper.failed", { call: name, why: "timeout" }));
    }, timeoutsMs[name] ?? timeoutMs);
    const answer = (got: Answer<unknown>): void => {
      clearTimeout(limit);
      open.waiting.delete(id);
      resolve(got as Answer<Result<N>>);
    };
    open.waiting.set(id, { name, answer });
    open.socket.write(line);
  });
}

/** A helper that says what the contract does not know is not the helper we know: the link is cut and made anew. */
function hear(open: Open, line: string, listener: Listener): void {
  const value = parseJson(line);
  const event = eventSchema.safeParse(value);
  if (event.success) return listener.event(event.data);
  const reply = replySchema.safeParse(value);
  if (!reply.success) return cut(open, `a line of the helper is not in the contract: ${line.slice(0, 200)}`);
  if (reply.data.id === null) return reply.data.ok ? undefined : refuseAll(open, reply.data.refusal);
  const call = open.waiting.get(reply.data.id);
  // an answer whose time was over
  if (call === undefined) return;
  if (!reply.data.ok) return call.answer({ ok: false, refusal: reply.data.refusal });
  const result = requests[call.name].result.safeParse(reply.data.result);
  if (result.success) return call.answer(grant(result.data));
  cut(open, `the helper's answer to ${call.name} is not in the contract: ${result.error.message.slice(0, 400)}`);
}

/** A refusal without an id is meant for the caller as such: turned away, too busy, too big a line. */
function refuseAll(open: Open, refusal: Refusal): void {
  for (const { answer } of [...open.waiting.values()]) answer({ ok: false, refusal });
}

function cut(open: Open, why: string): void {
  console.error(why);
  open.socket.destroy();
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function readLines(socket: Socket, line: (text: string) => void): void {
  let parts: Buffer[] = [];
  let size = 0;
  socket.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      const text = Buffer.concat([...parts, chunk.subarray(from, end)]).toString("utf8");
      parts = [];
      size = 0;
      from = end + 1;
      if (socket.destroyed) return;
      line(text);
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > maxHeardBytes) socket.destroy();
  });
}
