// A helper on a real socket: the contract's framing and parsers around a scripted world. What the window's tests start
// main against. It parses what it receives and what it answers by the contract's own schemas, so a script cannot say what
// a helper could not.
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";

import { callSchema, eventSchema, maxLineBytes, requests, type RequestName } from "../../../helper/contract/message.ts";
import { scenarios } from "./scenarios.ts";
import { createWorld, type World } from "./world.ts";

export interface ScriptedHelper {
  readonly world: World;
  close(): Promise<void>;
}

export async function openScriptedHelper(path: string, scenario: string): Promise<ScriptedHelper> {
  const script = scenarios(Date.now())[scenario];
  if (script === undefined) throw new Error(`no scenario ${scenario}`);
  const world = createWorld(script);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    serve(socket, world);
    socket.on("close", () => sockets.delete(socket));
  });
  rmSync(path, { force: true });
  await new Promise<void>((done, failed) => server.once("error", failed).listen(path, done));
  return {
    world,
    async close() {
      world.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function serve(socket: Socket, world: World): void {
  let rest = "";
  let stop: (() => void) | undefined;
  const send = (value: unknown): void => {
    if (socket.writable) socket.write(`${JSON.stringify(value)}\n`);
  };
  const take = async (line: string): Promise<void> => {
    const call = callSchema.parse(JSON.parse(line));
    if (call.call === "subscribe")
      stop ??= world.onEvent((event) => {
        send(eventSchema.parse(event));
      });
    send({ id: call.id, ...(await answer(world, call.call, call.params)) });
  };
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    rest += chunk;
    if (rest.length > maxLineBytes) socket.destroy();
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) void take(line);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => stop?.());
}

async function answer(world: World, name: RequestName, params: unknown): Promise<object> {
  const parsed = requests[name].params.safeParse(params);
  if (!parsed.success) return { ok: false, refusal: { code: "call.malformed", data: {} } };
  const got = await world.answer(name, parsed.data);
  return got.ok ? { ok: true, result: requests[name].result.parse(got.value) } : { ok: false, refusal: got.refusal };
}
