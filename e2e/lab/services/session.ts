// A session from afar, as a remote shell is one: a connection that stands, over which a line goes each 100 ms and comes back.
// {"serve": PORT}: the end that is worked on, by the name of sshd's process. {"host", "port"}: who works there; says each line
// that came back.
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

import { configuration, say } from "./serve.ts";

const wanted = configuration() as { readonly serve: number } | { readonly host: string; readonly port: number };
if ("serve" in wanted) {
  process.title = "sshd";
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(wanted.serve, "::", () => {
    say({ listening: true });
  });
} else {
  const socket = connect(wanted.port, wanted.host);
  let n = 0;
  const timer = setInterval(() => socket.write(`${(n += 1)}\n`), 100);
  createInterface({ input: socket }).on("line", (line) => {
    say({ back: Number(line) });
  });
  socket.on("error", (error) => {
    say({ ended: error.message });
  });
  socket.on("close", () => {
    clearInterval(timer);
    say({ ended: "closed" });
  });
}
