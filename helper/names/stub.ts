// Our own resolver, on a loopback address, for whoever asks on this machine. A question passes: read → who may answer it →
// asked upstream → if a rule means the name: its addresses are put in place → only then the answer is given, so that the
// first packet already goes its lane. What cannot be put in place is answered SERVFAIL: no answer is better than a packet on
// the wrong way. Nothing is kept here: resolvers behind the asker and behind us keep answers themselves.
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { createServer, type Server as TcpServer, type Socket } from "node:net";

import { type Address, familyOf } from "../contract/prefix.ts";
import type { Ask, Server } from "./ask.ts";
import { codes, type Query, questionFor, readAnswer, readQuery, reply, types } from "./message.ts";
import type { Found } from "./table.ts";

export interface StubDeps {
  /** Whom a name is asked of, in order; empty: nobody may be asked now. */
  readonly servers: (name: string | null) => readonly Server[];
  /** Whether a rule means this name. */
  readonly isMeant: (name: string) => boolean;
  /** The name was answered with these. Resolves when plan and kernel have them; false: they could not. */
  readonly place: (name: string, found: readonly Found[]) => Promise<boolean>;
  readonly ask: Ask;
  readonly log: (what: string, data: Readonly<Record<string, unknown>>) => void;
}

export interface Stub {
  close(): Promise<void>;
}

/** Two tries of each server within what glibc waits for (5 s). */
const tryMs = 1200;
const tries = 2;
const deadlineMs = 4500;
/** Questions under way at once; what comes beyond is answered SERVFAIL at once. */
export const mostInFlight = 256;
const mostStreams = 64;
const streamIdleMs = 10_000;
/** CNAMEs that upstream left for us to follow. */
const mostOnward = 4;

/** Throws what the bind threw: EADDRINUSE where somebody has port 53 of all addresses. */
export async function openStub(address: Address, port: number, deps: StubDeps): Promise<Stub> {
  const answer = answering(deps);
  const udp = await openUdp(address, port, answer);
  try {
    const tcp = await openTcp(address, port, answer);
    return {
      close: () =>
        Promise.all([
          new Promise<void>((done) => udp.close(done)),
          new Promise<void>((done) => {
            tcp.server.close(() => {
              done();
            });
            for (const stream of tcp.streams) stream.destroy();
          }),
        ]).then(() => undefined),
    };
  } catch (error) {
    udp.close();
    throw error;
  }
}

/** One question's bytes → its answer's; null: no answer. */
export type Answering = (bytes: Buffer, over: "udp" | "tcp") => Promise<Buffer | null>;

export function answering(deps: StubDeps): Answering {
  // the same question from many: asked once (also RFC 5452, 5: many open questions for one name are what forgers wish for)
  const underWay = new Map<string, Promise<Buffer>>();
  return async (bytes, over) => {
    const read = readQuery(bytes);
    if (!read.ok) return read.reply;
    const { query } = read;
    const key = query.bytes.toString("latin1", 2);
    let work = underWay.get(key);
    if (work === undefined) {
      if (underWay.size >= mostInFlight) return reply(query, codes.servFail);
      work = resolve(deps, query)
        .catch((error: unknown) => {
          deps.log("name not answered", { error: String(error) });
          return reply(query, codes.servFail);
        })
        .finally(() => underWay.delete(key));
      underWay.set(key, work);
    }
    const told = Buffer.from(await work);
    told.writeUInt16BE(query.id, 0);
    return over === "udp" && told.length > query.room ? reply(query, told.readUInt16BE(2) & 15, true) : told;
  };
}

async function resolve(deps: StubDeps, query: Query): Promise<Buffer> {
  const { name, type } = query;
  const meant = name !== null && deps.isMeant(name);
  // these carry addresses of their own, or lead to names that no rule means; without them A and AAAA are asked (RFC 9460, 3)
  if (meant && (type === types.https || type === types.svcb)) return reply(query, 0);
  // RFC 8482: all that is known of a name at once is nobody's right
  if (meant && type === types.any) return reply(query, codes.notImp);
  const until = performance.now() + deadlineMs;
  const told = await askAll(deps, query, deps.servers(name), until);
  if (name === null || (type !== types.a && type !== types.aaaa)) return told;
  const found = await addressesIn(deps, told, name, query, until);
  if (found === undefined) return meant ? reply(query, codes.servFail) : told;
  if (found.length === 0 || (await deps.place(name, found)) || !meant) return told;
  return reply(query, codes.servFail);
}

/** Addresses in an answer; where it ends in a CNAME alone, those of where that leads. undefined: not to be read. */
async function addressesIn(
  deps: StubDeps,
  told: Buffer,
  name: string,
  query: Query,
  until: number,
): Promise<readonly Found[] | undefined> {
  let answer = readAnswer(told, name);
  for (let i = 0; answer !== undefined && answer.onward !== null && i < mostOnward; i += 1) {
    const { name: next, ttl } = answer.onward;
    const read = readQuery(questionFor(next, query.type, 0));
    if (!read.ok) return undefined;
    const more = await askAll(deps, read.query, deps.servers(name), until);
    answer = readAnswer(more, next);
    if (answer !== undefined)
      answer = { ...answer, found: answer.found.map((f) => ({ ...f, ttl: Math.min(ttl, f.ttl) })) };
  }
  return answer?.found;
}

/** The first that answers. A refusal of one is no reason to believe the next, but a failure is to ask it. */
async function askAll(deps: StubDeps, query: Query, servers: readonly Server[], until: number): Promise<Buffer> {
  let last = reply(query, codes.servFail);
  for (let i = 0; i < tries; i += 1)
    for (const server of servers) {
      const left = until - performance.now();
      if (left <= 0) return last;
      const told = await deps.ask(server, query, Math.min(tryMs, left)).catch(() => undefined);
      if (told === undefined) continue;
      const code = told.readUInt16BE(2) & 15;
      if (code !== codes.servFail && code !== codes.refused) return told;
      last = told;
    }
  return last;
}

async function openUdp(address: Address, port: number, answer: Answering): Promise<UdpSocket> {
  const socket = createSocket(familyOf(address) === 4 ? "udp4" : "udp6");
  await new Promise<void>((done, fail) => {
    socket.once("error", fail);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", fail);
      done();
    });
  });
  // an asker that is gone by the time of its answer is no reason to stop
  socket.on("error", () => undefined);
  socket.on("message", (bytes, from) => {
    void answer(bytes, "udp").then((told) => {
      if (told !== null) socket.send(told, from.port, from.address, () => undefined);
    });
  });
  return socket;
}

async function openTcp(
  address: Address,
  port: number,
  answer: Answering,
): Promise<{ readonly server: TcpServer; readonly streams: ReadonlySet<Socket> }> {
  const streams = new Set<Socket>();
  const server = createServer((stream) => {
    streams.add(stream);
    stream.on("close", () => streams.delete(stream));
    stream.on("error", () => undefined);
    stream.setTimeout(streamIdleMs, () => stream.destroy());
    void readStream(stream, answer);
  });
  server.maxConnections = mostStreams;
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen({ host: address, port, exclusive: true }, done);
  });
  server.on("error", () => undefined);
  return { server, streams };
}

/** RFC 7766: each message after its length; one after the other, so a stream holds no more than one question of ours. */
async function readStream(stream: Socket, answer: Answering): Promise<void> {
  let held = Buffer.alloc(0);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const end = 2 + held.readUInt16BE(0);
        const told = await answer(held.subarray(2, end), "tcp");
        held = held.subarray(end);
        if (told === null) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(told.length);
        stream.write(Buffer.concat([length, told]));
      }
    }
  } catch {
    // hung up
  } finally {
    stream.destroy();
  }
}
