// Runs in the laptop: one request to the helper, past the command line.
//
//   node call.ts NAME PARAMS(JSON) → the reply
import { connect } from "node:net";
import { createInterface } from "node:readline";

import { socketPath } from "../../helper/contract/message.ts";

const [name = "", params = "{}"] = process.argv.slice(2);
const socket = connect(socketPath);
const ask = (id: number, call: string, what: unknown): void => {
  socket.write(`${JSON.stringify({ id, call, params: what })}\n`);
};

ask(1, "hello", { version: 1, client: "one call" });
createInterface({ input: socket }).on("line", (line) => {
  const { id } = JSON.parse(line) as { id?: number };
  if (id === 1) ask(2, name, JSON.parse(params));
  if (id !== 2) return;
  process.stdout.write(`${line}\n`);
  process.exit(0);
});
