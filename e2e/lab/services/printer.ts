// A printer: a web page on port 80, and whatever comes on port 9100 is printed, that is counted and listed on the page.
import { createServer } from "node:net";

import { configuration, listenHttp, say, sendJson, sendPage } from "./serve.ts";

interface Config {
  readonly name: string;
  readonly addresses: readonly string[];
}

interface Job {
  readonly from: string;
  readonly bytes: number;
  readonly at: number;
}

const rawPort = 9100;
const { name, addresses } = configuration() as Config;
const jobs: Job[] = [];

for (const address of addresses) {
  await listenHttp(address, 80, (_request, response, url) => {
    if (url.pathname === "/jobs") sendJson(response, { jobs });
    else sendPage(response, name, `<p>Ready. <b id="jobs">${jobs.length}</b> jobs printed.</p>`);
  });
  const server = createServer((stream) => {
    let bytes = 0;
    stream.on("data", (chunk) => (bytes += chunk.length));
    stream.on("error", () => undefined);
    stream.on("end", () => {
      const job = { from: (stream.remoteAddress ?? "").replace(/^::ffff:/, ""), bytes, at: Date.now() };
      jobs.push(job);
      say({ event: "printed", ...job });
    });
  });
  await new Promise<void>((done) => server.listen(rawPort, address, done));
}
say({ listening: true });
