// What a canary is on the wire: a whole UDP packet with a right header and right sums, because a hole in the gate that asks
// for addresses or ports lets out nothing less.
import { canaryPort } from "../contract/message.ts";
import { type Address, familyOf, rangeOf } from "../contract/prefix.ts";

/** From the range that belongs to nobody (RFC 6335, 6). */
const fromPort = 61_000;
const udp = 17;
const hops = 64;

export function canaryText(nonce: string): Buffer {
  return Buffer.from(`culvert canary ${nonce}`);
}

/** From the network header on. Both addresses of one family. */
export function canaryPacket(source: Address, destination: Address, payload: Buffer): Buffer {
  const [from, to] = [addressBytes(source), addressBytes(destination)];
  const body = Buffer.alloc(8 + payload.length);
  body.writeUInt16BE(fromPort, 0);
  body.writeUInt16BE(canaryPort, 2);
  body.writeUInt16BE(body.length, 4);
  payload.copy(body, 8);
  const pseudo = Buffer.concat([from, to, Buffer.from([0, udp, body.length >> 8, body.length & 255])]);
  // a sum of zero would say that there is none (RFC 768)
  body.writeUInt16BE(sum([pseudo, body]) || 0xffff, 6);
  return Buffer.concat([familyOf(destination) === 4 ? header4(from, to, body) : header6(from, to, body), body]);
}

function header4(from: Buffer, to: Buffer, body: Buffer): Buffer {
  const header = Buffer.concat([Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, hops, udp, 0, 0]), from, to]);
  header.writeUInt16BE(header.length + body.length, 2);
  header.writeUInt16BE(sum([header]), 10);
  return header;
}

function header6(from: Buffer, to: Buffer, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x60, 0, 0, 0, body.length >> 8, body.length & 255, udp, hops]), from, to]);
}

/** The Internet checksum (RFC 1071); every part but the last has an even length. */
function sum(parts: readonly Buffer[]): number {
  let total = 0;
  const all = Buffer.concat(parts);
  for (let i = 0; i < all.length; i += 2) total += ((all[i] ?? 0) << 8) | (all[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return ~total & 0xffff;
}

function addressBytes(address: Address): Buffer {
  const { family, first } = rangeOf(address);
  return Buffer.from(first.toString(16).padStart(family === 4 ? 8 : 32, "0"), "hex");
}
