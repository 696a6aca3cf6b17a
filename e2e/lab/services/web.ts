// A web host: tells the caller its address, as a page and (path /json, or asked for JSON) as JSON. Port 9 of UDP and TCP
// takes whatever comes and says nothing (RFC 863), for floods over connections that already stand. Port 7 echoes (RFC 862).
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

import { callerOf, configuration, listenHttp, say, sendJson, sendPage } from "./serve.ts";

interface Config {
  readonly name: string;
  readonly addresses: readonly string[];
}

const { name, addresses } = configuration() as Config;
for (const address of addresses) {
  await listenHttp(address, 80, (request, response, url) => {
    const caller = callerOf(request);
    say({ event: "visit", host: name, on: address, from: caller, path: url.pathname });
    const told = { host: name, address: caller, port: request.socket.remotePort ?? 0, on: address };
    const wantsJson = url.pathname === "/json" || request.headers.accept?.includes("application/json") === true;
    if (wantsJson) sendJson(response, told);
    else sendPage(response, name, `<p>You are <b id="address">${caller}</b>, I am ${address}.</p>`);
  });
  for (const port of [7, 9]) {
    const datagrams = createSocket({ type: address.includes(":") ? "udp6" : "udp4" });
    datagrams.on("message", (message, from) => {
      if (port === 7) datagrams.send(message, from.port, from.address);
    });
    await new Promise<void>((done) => datagrams.bind(port, address, done));
    const streams = createServer((socket) => {
      socket.on("error", () => undefined);
      if (port === 7) socket.pipe(socket);
      else socket.resume();
    });
    await new Promise<void>((done) => streams.listen(port, address, done));
  }
}
say({ listening: true });
