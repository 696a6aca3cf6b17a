// A caller of a lab machine's helper from outside the machine: its socket is a file, reached through the machine's mounts.
import { createConnection } from "node:net";

import {
  eventSchema,
  type HelperEvent,
  type Params,
  protocolVersion,
  replySchema,
  type RequestName,
  requests,
  type Result,
  socketPath,
} from "../../helper/contract/message.ts";
import type { Machine } from "../lab/machine.ts";

export interface Asker {
  /** Throws on a refusal: a benchmark has no use for one. */
  ask<N extends RequestName>(name: N, params: Params<N>): Promise<Result<N>>;
  onEvent(listener: (event: HelperEvent) => void): void;
  close(): void;
}

export function askHelper(machine: Machine): Promise<Asker> {
  return askAt(`/proc/${machine.pid}/root${socketPath}`);
}

export async function askAt(path: string): Promise<Asker> {
  const socket = createConnection(path);
  await new Promise<void>((done, failed) => socket.once("connect", done).once("error", failed));
  const waiting = new Map<number, (line: unknown) => void>();
  let listener: (event: HelperEvent) => void = () => undefined;
  let rest = "";
  let last = 0;
  socket.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString("utf8")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const value: unknown = JSON.parse(line);
      const event = eventSchema.safeParse(value);
      if (event.success) listener(event.data);
      else waiting.get(replySchema.parse(value).id ?? -1)?.(value);
    }
  });
  const asker: Asker = {
    async ask(name, params) {
      last += 1;
      const id = last;
      const line = new Promise((done) => waiting.set(id, done));
      socket.write(`${JSON.stringify({ id, call: name, params })}\n`);
      const reply = replySchema.parse(await line);
      waiting.delete(id);
      if (!reply.ok) throw new Error(`${name}: ${JSON.stringify(reply.refusal)}`);
      return requests[name].result.parse(reply.result) as Result<typeof name>;
    },
    onEvent: (next) => {
      listener = next;
    },
    close: () => socket.destroy(),
  };
  await asker.ask("hello", { version: protocolVersion, client: "bench" });
  return asker;
}
