// DNS over UDP and TCP, both ways round: how a question reaches `answer`, and how one is asked of another server.
import { createSocket, type RemoteInfo } from "node:dgram";
import { createServer, isIPv6, type Socket } from "node:net";

import packet, { type Packet } from "dns-packet";

export interface Question {
  readonly name: string;
  readonly type: string;
}

/** Answers a query; undefined drops it. */
export type Responder = (query: Packet, from: string, over: "udp" | "tcp") => Promise<Packet | undefined>;

const timeoutMs = 3000;

export async function listenDns(address: string, respond: Responder): Promise<void> {
  const family = isIPv6(address) ? 6 : 4;
  const socket = createSocket({ type: `udp${family}` });
  socket.on("message", (message: Buffer, from: RemoteInfo) => {
    void answer(message, from.address, "udp", respond).then((reply) => {
      if (reply !== undefined) socket.send(packet.encode(reply), from.port, from.address);
    });
  });
  // an ICMP error for an answer nobody waits for is no reason to stop
  socket.on("error", () => undefined);
  await new Promise<void>((done) => socket.bind(53, address, done));
  const server = createServer((stream) => {
    void readMessages(stream, async (message) => {
      const reply = await answer(message, stream.remoteAddress ?? "", "tcp", respond);
      if (reply !== undefined) stream.write(packet.streamEncode(reply));
    });
  });
  await new Promise<void>((done) => server.listen(53, address, done));
}

/** Asks another server by UDP; undefined after three seconds of silence. */
export function ask(server: string, query: Packet): Promise<Packet | undefined> {
  const socket = createSocket({ type: isIPv6(server) ? "udp6" : "udp4" });
  return new Promise<Packet | undefined>((done) => {
    const timer = setTimeout(() => done(undefined), timeoutMs);
    socket.on("error", () => done(undefined));
    socket.on("message", (message) => {
      clearTimeout(timer);
      done(decode(message));
    });
    socket.send(packet.encode(query), 53, server);
  }).finally(() => socket.close());
}

export function questionOf(query: Packet): Question | undefined {
  const question = query.questions?.[0];
  return question === undefined ? undefined : { name: question.name.toLowerCase(), type: question.type };
}

async function answer(message: Buffer, from: string, over: "udp" | "tcp", respond: Responder) {
  const query = decode(message);
  if (query?.type !== "query") return undefined;
  return respond(query, from.replace(/^::ffff:/, ""), over);
}

function decode(message: Buffer): Packet | undefined {
  try {
    return packet.decode(message);
  } catch {
    return undefined;
  }
}

/** Each message of a TCP stream comes after its length (RFC 1035, 4.2.2). */
async function readMessages(stream: Socket, take: (message: Buffer) => Promise<void>): Promise<void> {
  stream.on("error", () => undefined);
  let rest = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      await take(rest.subarray(2, end));
      rest = rest.subarray(end);
    }
  }
}
