import { expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { canaryPacket, canaryText } from "./canary-packet.ts";

const text = canaryText("00112233445566778899aabbccddeeff");

// held against what a socket of Linux put on the wire for the same words, but for what is a socket's own: its packet
// number, flow label and wish not to be fragmented, and the sums, which there the device would have made
test.each([
  [
    "192.0.2.2",
    "203.0.113.1",
    "4500004b........4011....c0000202cb007101ee4800090037....63756c766572742063616e61727920",
  ],
  [
    "2001:db8:1::2",
    "2001:db8::1",
    "6.......0037114020010db800010000000000000000000220010db8000000000000000000000001ee4800090037....63756c766572742063",
  ],
])("a canary from %s is the packet that a socket would send", (from, to, wanted) => {
  const packet = canaryPacket(from as Address, to as Address, text);
  expect(packet.toString("hex")).toMatch(new RegExp(`^${wanted}`));
  expect(packet.subarray(-text.length)).toEqual(text);
});

test.each([
  ["192.0.2.2", "203.0.113.1"],
  ["2001:db8:1::2", "2001:db8::1"],
])("the sums of a canary from %s are right", (from, to) => {
  const packet = canaryPacket(from as Address, to as Address, text);
  const four = !from.includes(":");
  const head = four ? 20 : 40;
  const addresses = packet.subarray(head - (four ? 8 : 32), head);
  const body = packet.subarray(head);
  if (four) expect(sumOf(packet.subarray(0, head))).toBe(0xffff);
  expect(sumOf(Buffer.concat([addresses, Buffer.from([0, 17, 0, body.length]), body]))).toBe(0xffff);
});

/** Ones' complement: a packet with its own sum in it gives all ones (RFC 1071). */
function sumOf(bytes: Buffer): number {
  const padded = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
  let sum = 0;
  for (let i = 0; i < padded.length; i += 2) {
    sum += padded.readUInt16BE(i);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}
