// What every service of the lab shares: its configuration is its argument, what it saw it says as JSON lines, and it
// says "listening" when all its sockets are open.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { isIPv6 } from "node:net";

/** As the topology says it; each service casts it to its own shape, both are of this folder. */
export function configuration(): unknown {
  return JSON.parse(process.argv[2] ?? "{}");
}

export function say(event: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify({ at: Date.now(), ...event })}\n`);
}

export type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void | Promise<void>;

export function listenHttp(address: string, port: number, answer: Answer): Promise<void> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://lab.example");
    Promise.resolve(answer(request, response, url)).catch((wrong: unknown) => {
      response.writeHead(500).end(String(wrong));
    });
  });
  return new Promise((done, failed) => {
    server.once("error", failed);
    server.listen({ host: address, port, ipv6Only: isIPv6(address) }, done);
  });
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(`${JSON.stringify(value)}\n`);
}

export function sendPage(response: ServerResponse, title: string, body: string): void {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
  response.end(`<!doctype html><html lang="en"><title>${title}</title><h1>${title}</h1>${body}</html>\n`);
}

/** The caller's address as people write it. */
export const callerOf = (request: IncomingMessage): string =>
  (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
