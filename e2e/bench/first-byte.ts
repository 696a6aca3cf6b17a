// Runs inside a lab machine: at each line on standard input asks a web host as whom it sees us, over and over, until the
// answer is the expected address; then says when its first byte came (Unix milliseconds). A try is begun every few
// milliseconds beside the earlier ones: while the gate is closed packets are dropped without a word, and TCP's own second
// try would come a second later.
import { connect, type Socket } from "node:net";

const [host = "", expected = ""] = process.argv.slice(2);
const everyMs = 4;

process.stdin.on("data", () => {
  const tries = new Set<Socket>();
  const timer = setInterval(begin, everyMs);
  begin();

  function begin(): void {
    const socket = connect(80, host);
    tries.add(socket);
    let at = 0;
    let text = "";
    socket.on("connect", () => socket.write(`GET /json HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
    socket.on("data", (chunk) => {
      at ||= performance.timeOrigin + performance.now();
      text += chunk.toString();
      if (!text.includes(`"address":"${expected}"`)) return;
      clearInterval(timer);
      for (const one of tries) one.destroy();
      if (tries.size > 0) process.stdout.write(`${JSON.stringify({ at, tries: tries.size })}\n`);
      tries.clear();
    });
    // refused or cut: the next one is already under way
    socket.on("error", () => socket.destroy());
  }
});
process.stdin.on("end", () => process.exit(0));
process.stdout.write("ready\n");
