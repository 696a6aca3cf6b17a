// One question to one resolver, from a port that the kernel draws and under an id that nobody guesses (RFC 5452). By UDP
// first; what came cut off is asked again by TCP (RFC 7766). Only an answer to this very question counts.
import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, Socket, type SocketConstructorOpts } from "node:net";

import { type Address, familyOf } from "../contract/prefix.ts";
import { answers, isTruncated, type Query, withId } from "./message.ts";

export interface Server {
  readonly address: Address;
  /** Bound to this address of ours, for its lane; null: as routing says. */
  readonly from: Address | null;
  /** Asked under this mark; null: under none. */
  readonly mark: number | null;
}

/** Sockets that carry a mark before they know whom they ask: what Node cannot make. */
export interface MarkedSockets {
  udpOpen(family: 4 | 6, port: number, mark: number): { readonly fd: number };
  tcpOpen(family: 4 | 6, mark: number): number;
}

/** The answer's bytes, under the asker's id. Rejects when nothing came in time. */
export type Ask = (server: Server, query: Query, timeoutMs: number) => Promise<Buffer>;

const dnsPort = 53;

export const asking =
  (sockets: MarkedSockets): Ask =>
  async (server, query, timeoutMs) => {
    const id = randomInt(0x1_0000);
    const question = withId(query.bytes, id);
    const isAnswer = (bytes: Buffer): boolean => answers(bytes, query, id);
    const began = performance.now();
    const first = await askUdp(sockets, server, question, isAnswer, timeoutMs);
    if (!isTruncated(first)) return withId(first, query.id);
    const left = Math.max(500, timeoutMs - (performance.now() - began));
    return withId(await askTcp(sockets, server, question, isAnswer, left), query.id);
  };

function askUdp(
  sockets: MarkedSockets,
  { address, from, mark }: Server,
  question: Buffer,
  isAnswer: (bytes: Buffer) => boolean,
  timeoutMs: number,
): Promise<Buffer> {
  const socket = createSocket(familyOf(address) === 4 ? "udp4" : "udp6");
  return new Promise<Buffer>((done, fail) => {
    const timer = setTimeout(() => {
      fail(new Error(`no answer from ${address}`));
    }, timeoutMs);
    const end = (error: Error): void => {
      clearTimeout(timer);
      fail(error);
    };
    socket.on("error", end);
    socket.on("message", (bytes) => {
      if (!isAnswer(bytes)) return;
      clearTimeout(timer);
      done(bytes);
    });
    const send = (): void => {
      socket.connect(dnsPort, address, (error?: Error) => {
        // the callback of a failed connect is given the error
        if (error !== undefined) end(error);
        else
          socket.send(question, (failed) => {
            if (failed !== null) end(failed);
          });
      });
    };
    if (mark !== null) socket.bind({ fd: sockets.udpOpen(familyOf(address), 0, mark).fd }, send);
    else if (from === null) send();
    else socket.bind({ address: from, port: 0 }, send);
  }).finally(() => socket.close());
}

function askTcp(
  sockets: MarkedSockets,
  { address, from, mark }: Server,
  question: Buffer,
  isAnswer: (bytes: Buffer) => boolean,
  timeoutMs: number,
): Promise<Buffer> {
  const to = { host: address, port: dnsPort, ...(from !== null && { localAddress: from }) };
  const stream =
    mark === null
      ? connect(to)
      : new Socket({
          fd: sockets.tcpOpen(familyOf(address), mark),
          manualStart: true,
        } as SocketConstructorOpts).connect(to);
  return new Promise<Buffer>((done, fail) => {
    let held = Buffer.alloc(0);
    stream.setTimeout(timeoutMs, () => stream.destroy(new Error(`no answer from ${address}`)));
    stream.on("error", fail);
    stream.on("close", () => {
      fail(new Error(`${address} hung up`));
    });
    stream.on("connect", () => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(question.length);
      stream.write(Buffer.concat([length, question]));
    });
    stream.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      if (held.length < 2 || held.length < 2 + held.readUInt16BE(0)) return;
      const bytes = held.subarray(2, 2 + held.readUInt16BE(0));
      if (isAnswer(bytes)) done(Buffer.from(bytes));
      else fail(new Error(`${address} answered something else`));
    });
  }).finally(() => stream.destroy());
}
