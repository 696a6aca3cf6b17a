// Runs in the laptop: saves the policies given, one after the other, over the helper's socket, for so long.
//
//   node policy-loop.ts SECONDS POLICIES(JSON) → {"changes": n}
import { connect } from "node:net";
import { createInterface } from "node:readline";

import { socketPath } from "../../helper/contract/message.ts";

const [seconds = "1", policies = "[]"] = process.argv.slice(2);
const wanted = JSON.parse(policies) as unknown[];
const end = Date.now() + Number(seconds) * 1000;
const socket = connect(socketPath);
let id = 0;
const call = (name: string, params: unknown): void => {
  id += 1;
  socket.write(`${JSON.stringify({ id, call: name, params })}\n`);
};

call("hello", { version: 1, client: "policy loop" });
createInterface({ input: socket }).on("line", (line) => {
  const reply = JSON.parse(line) as { ok?: boolean; refusal?: unknown };
  if (reply.ok !== true) throw new Error(line);
  if (Date.now() >= end) {
    // the first answer was hello's
    process.stdout.write(`${JSON.stringify({ changes: id - 1 })}\n`);
    process.exit(0);
  }
  call("setPolicy", { policy: wanted[id % wanted.length] });
});
