// The command line's end of the socket: one connection, requests answered by id, events handed on.
import { createConnection, type Socket } from "node:net";

import type { HelperEvent, Params, RequestName, Result } from "../contract/message.ts";
import { eventSchema, maxLineBytes, protocolVersion, replySchema, requests } from "../contract/message.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { splitLines } from "../server/lines.ts";

export interface Client {
  request<N extends RequestName>(name: N, params: Params<N>): Promise<Answer<Result<N>>>;
  onEvent(listener: (event: HelperEvent) => void): void;
  /** Resolves when the helper hangs up. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Connected and greeted, or why not: nobody listens, not allowed, another version. */
export async function connectHelper(path: string): Promise<Answer<Client>> {
  const socket = await open(path);
  if (socket === null) return refuse("helper.not-running", { path });
  const client = clientOver(socket);
  const hello = await client.request("hello", { version: protocolVersion, client: "culvert" });
  if (hello.ok) return grant(client);
  client.close();
  return hello;
}

function open(path: string): Promise<Socket | null> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      resolve(socket);
    });
    socket.once("error", () => {
      resolve(null);
    });
  });
}

function clientOver(socket: Socket): Client {
  // a node list is longer than what the helper takes in one line
  const lines = splitLines(8 * maxLineBytes);
  const waiting = new Map<number, (answer: Answer<unknown>) => void>();
  let listeners: readonly ((event: HelperEvent) => void)[] = [];
  let nextId = 1;
  // what the helper says to nobody in particular: why it hangs up
  let farewell: Answer<never> = refuse("helper.not-running");
  const take = (line: string): void => {
    const value: unknown = JSON.parse(line);
    const event = eventSchema.safeParse(value);
    if (event.success) {
      for (const listener of listeners) listener(event.data);
      return;
    }
    const reply = replySchema.parse(value);
    if (reply.id === null) {
      if (!reply.ok) farewell = reply;
      return;
    }
    waiting.get(reply.id)?.(reply.ok ? grant(reply.result) : reply);
    waiting.delete(reply.id);
  };
  const ended = new Promise<void>((resolve) => {
    socket.once("close", () => {
      for (const answer of waiting.values()) answer(farewell);
      waiting.clear();
      resolve();
    });
  });
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    const complete = lines.push(chunk);
    if (complete === "too-long") socket.destroy();
    else for (const line of complete) take(line);
  });
  return {
    ended,
    request(name, params) {
      if (socket.destroyed) return Promise.resolve(farewell);
      const id = nextId++;
      socket.write(`${JSON.stringify({ id, call: name, params })}\n`);
      return new Promise((resolve) => {
        waiting.set(id, (answer) => {
          resolve(answer.ok ? grant(parseResult(name, answer.value)) : answer);
        });
      });
    },
    onEvent(listener) {
      listeners = [...listeners, listener];
    },
    close() {
      socket.destroy();
    },
  };
}

/** Parsed with the schema of `name`, which is what makes this cast sound. */
function parseResult<N extends RequestName>(name: N, value: unknown): Result<N> {
  return requests[name].result.parse(value) as Result<N>;
}
