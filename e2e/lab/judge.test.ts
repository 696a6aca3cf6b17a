import { expect, test } from "vitest";

import { advertisement, strangeFrame, udpFrame } from "./craft.ts";
import { type Frame, parseFrame, printFrame } from "./frame.ts";
import { type Allowed, flowKey, judge, type Kind } from "./judge.ts";

const router = "02:40:00:00:00:01";
const laptop = "02:40:00:00:00:10";
const printer = "02:40:00:00:00:20";
const allowed: Allowed = {
  engine: [{ address: "203.0.113.9", port: 51820 }],
  onLink: ["10.40.0.0/24", "fd00:40::/64"],
  lan: ["10.40.0.0/24", "fd00:40::/64"],
  routers: [{ mac: router, addresses: ["10.40.0.1"] }],
  direct: ["192.0.2.144/32"],
  resolvers: [],
  welcome: [{ protocol: "tcp", port: 8443 }],
  inside: ["10.80.1.2"],
};
const handshake = Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.alloc(144)]);

test("the engine's messages to the node are the tunnel, anything else to its port is beside", () => {
  expect(kindOf(packet("203.0.113.9", 51820, { payload: handshake }))).toBe("engine");
  expect(kindOf(packet("203.0.113.9", 51820))).toBe("beside");
  expect(kindOf(packet("203.0.113.10", 51820, { payload: handshake }))).toBe("beside");
});

test("a LAN packet goes to its host itself; through the router, or with LAN off, it is beside", () => {
  expect(kindOf(packet("10.40.0.20", 9100, { toMac: printer }))).toBe("lan");
  expect(kindOf(packet("10.40.0.20", 9100, { toMac: router }))).toBe("beside");
  expect(kindOf(packet("10.40.0.1", 80, { toMac: router }))).toBe("lan");
  expect(kindOf(packet("10.40.0.20", 9100, { toMac: printer }), { ...allowed, lan: [] })).toBe("beside");
});

test("a name is asked beside the tunnel even on the LAN or at a direct address", () => {
  expect(kindOf(packet("10.40.0.1", 53, { toMac: router }))).toBe("beside");
  expect(kindOf(packet("192.0.2.144", 853))).toBe("beside");
  expect(kindOf(packet("192.0.2.144", 80))).toBe("direct");
  expect(kindOf(packet("192.0.2.53", 53), { ...allowed, resolvers: ["192.0.2.53"] })).toBe("direct");
});

test("what hides its destination is beside whatever it shows", () => {
  expect(kindOf(packet("10.40.0.20", 9100, { toMac: printer, vlan: 7 }))).toBe("beside");
  expect(kindOf(parse(strangeFrame(printer, laptop)))).toBe("beside");
  const routed = Buffer.from(packetHex("10.40.0.20", 80, { toMac: printer }), "hex");
  // header length 8 words: 12 bytes of options, of which 11 are a loose source route
  const option = Buffer.from([131, 11, 4, 192, 0, 2, 1, 192, 0, 2, 2, 0]);
  routed[14] = 0x48;
  const frame = parse(Buffer.concat([routed.subarray(0, 34), option, routed.subarray(34)]).toString("hex"));
  expect(kindOf(frame)).toBe("beside");
});

test("an address inside the tunnel is beside on the uplink, also in ARP", () => {
  expect(kindOf(packet("10.40.0.20", 80, { toMac: printer, source: "10.80.1.2" }))).toBe("beside");
  expect(kindOf(arp("10.40.0.10", "10.40.0.20"))).toBe("arp");
  expect(kindOf(arp("10.80.1.2", "10.40.0.20"))).toBe("beside");
  expect(kindOf(arp("10.40.0.10", "192.0.2.10"))).toBe("beside");
});

test("an answer is a reply only to the flow that came in", () => {
  const came = packet("10.40.0.10", 8443, { source: "192.0.2.10" });
  if (came.net?.kind !== "ip") throw new Error("no packet");
  const inbound = new Set([flowKey(came.net, "in")]);
  const answer = Buffer.from(packetHex("192.0.2.10", 40_000), "hex");
  answer.writeUInt16BE(8443, 34);
  expect(judge(parse(answer.toString("hex")), allowed, inbound)).toBe("reply");
  expect(judge(parse(answer.toString("hex")), allowed, new Set())).toBe("beside");
  expect(judge(packet("192.0.2.10", 40_000), allowed, inbound)).toBe("beside");
});

test("neighbour discovery has hop limit 255 and looks for neighbours; an advertisement of a router is beside", () => {
  const ra = advertisement({ mac: laptop, router: "fe80::1", prefixes: ["2001:db8:bad::/64"] });
  expect(kindOf(parse(ra))).toBe("beside");
  expect(kindOf(solicitation("fd00:40::20", 255))).toBe("nd");
  expect(kindOf(solicitation("fd00:40::20", 64))).toBe("beside");
  expect(kindOf(solicitation("2001:db8:10::10", 255))).toBe("beside");
});

test("a line tells who, to whom, and what", () => {
  expect(printFrame(packet("2001:db8::1", 53, { source: "2001:db8::2" }))).toBe(
    "00:00:00.001 2001:db8::2 → 2001:db8::1 UDP 40000→53, 97 bytes",
  );
});

const kindOf = (frame: Frame, by: Allowed = allowed): Kind => judge(frame, by, new Set());
const parse = (hex: string): Frame => parseFrame(1, hex.length / 2, Buffer.from(hex, "hex"));

interface Options {
  readonly toMac?: string;
  readonly source?: string;
  readonly payload?: Buffer;
  readonly vlan?: number;
}

function packetHex(destination: string, port: number, options: Options = {}): string {
  const { toMac = router, source = "10.40.0.10", ...rest } = options;
  return udpFrame({ fromMac: laptop, toMac, source, destination, port, ...rest });
}
const packet = (destination: string, port: number, options: Options = {}): Frame =>
  parse(packetHex(destination, port, options));

function arp(sender: string, target: string): Frame {
  const dotted = (address: string): string => Buffer.from(address.split(".").map(Number)).toString("hex");
  const macs = `ffffffffffff024000000010`;
  return parse(`${macs}08060001080006040001024000000010${dotted(sender)}000000000000${dotted(target)}`);
}

/** A neighbour solicitation: the advertisement's frame with another type, hop limit and target. */
function solicitation(target: string, hops: number): Frame {
  const frame = Buffer.from(advertisement({ mac: laptop, router: "fe80::10", prefixes: [] }), "hex");
  const wanted = Buffer.from(packetHex(target, 1, { source: "fe80::10" }), "hex").subarray(38, 54);
  frame[54] = 135;
  frame[21] = hops;
  wanted.copy(frame, 62);
  return parse(frame.toString("hex"));
}
