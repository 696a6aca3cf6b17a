import packet, { type Answer } from "dns-packet";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  answers,
  isTruncated,
  questionFor,
  type Query,
  readAnswer,
  readQuery,
  reply,
  types,
  withId,
} from "./message.ts";

describe("a question", () => {
  test("is read with its name in canonical letters, its type and the room its asker has", () => {
    const query = must(asked("WWW.Example.COM", "AAAA", 1400));
    expect([query.id, query.name, query.type, query.room]).toEqual([7, "www.example.com", types.aaaa, 1400]);
    expect(must(asked("a.example", "A")).room).toBe(512);
  });
  test("of no host name is handed through and means no rule", () => {
    const bytes = asked("x.example", "A");
    bytes[13] = 0x20;
    expect(must(bytes).name).toBeNull();
  });
  test.each([
    ["an answer", (b: Buffer) => b.writeUInt16BE(0x8180, 2), null],
    ["a notification", (b: Buffer) => b.writeUInt16BE(4 << 11, 2), 4],
    ["two questions", (b: Buffer) => b.writeUInt16BE(2, 4), 1],
    ["a zone transfer", (b: Buffer) => b.writeUInt16BE(252, b.length - 4), 5],
    ["a label that points elsewhere", (b: Buffer) => (b[12] = 0xc0), 1],
  ])("%s is none", (_what, spoil, code) => {
    const bytes = asked("a.example", "A");
    spoil(bytes);
    const read = readQuery(bytes);
    expect(read.ok ? "read" : (read.reply?.readUInt16BE(2) ?? null)).toEqual(code === null ? null : expect.anything());
    if (!read.ok && read.reply !== null) expect(read.reply.readUInt16BE(2) & 15).toBe(code);
  });
});

describe("an answer", () => {
  test("gives the addresses at the end of its chain, for as long as the shortest link says", () => {
    const told = answer("a.example", "A", [
      { name: "a.example", type: "CNAME", ttl: 30, data: "B.example" },
      { name: "b.example", type: "CNAME", ttl: 600, data: "c.example" },
      { name: "C.example", type: "A", ttl: 60, data: "192.0.2.1" },
      { name: "other.example", type: "A", ttl: 60, data: "192.0.2.9" },
    ]);
    expect(readAnswer(told, "a.example")?.found).toEqual([{ address: "192.0.2.1", ttl: 30 }]);
  });
  test("that ends in a CNAME says where to go on", () => {
    const told = answer("a.example", "A", [{ name: "a.example", type: "CNAME", ttl: 5, data: "b.example" }]);
    expect(readAnswer(told, "a.example")).toMatchObject({ found: [], onward: { name: "b.example", ttl: 5 } });
  });
  test("that runs in a circle gives nothing", () => {
    const told = answer("a.example", "A", [
      { name: "a.example", type: "CNAME", ttl: 5, data: "b.example" },
      { name: "b.example", type: "CNAME", ttl: 5, data: "a.example" },
    ]);
    expect(readAnswer(told, "a.example")).toBeUndefined();
  });
  test("counts only for its own question and id", () => {
    const query = must(asked("a.example", "A"));
    const told = answer("A.example", "A", []);
    expect(answers(withId(told, 99), query, 99)).toBe(true);
    expect(answers(withId(told, 98), query, 99)).toBe(false);
    expect(answers(withId(answer("b.example", "A", []), 99), query, 99)).toBe(false);
    expect(answers(withId(answer("a.example", "AAAA", []), 99), query, 99)).toBe(false);
    expect(answers(query.bytes, query, 7)).toBe(false);
  });
});

test("a reply of ours repeats the question and carries nothing else", () => {
  const query = must(asked("a.example", "A", 1232));
  const read = packet.decode(reply(query, 2));
  expect(read).toMatchObject({ id: 7, type: "response", rcode: "SERVFAIL", flag_rd: true, flag_ra: true });
  expect([read.questions?.length, read.answers?.length, read.additionals?.length]).toEqual([1, 0, 0]);
  expect(isTruncated(reply(query, 0, true))).toBe(true);
});

describe("whatever comes", () => {
  const bytes = fc.uint8Array({ maxLength: 600 }).map((b) => Buffer.from(b));
  /** A good message with some bytes changed, or cut off. */
  const spoilt = fc
    .tuple(
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }),
      fc.nat(90),
      fc.constantFrom<"A" | "CNAME">("A", "CNAME"),
    )
    .map(([changes, cut, type]) => {
      const data = type === "A" ? "192.0.2.1" : "b.example";
      const good = answer("a.example", "A", [{ name: "a.example", type, ttl: 9, data }]);
      for (const [at, value] of changes) if (at < good.length) good[at] = value;
      return good.subarray(0, good.length - Math.max(0, cut - 60));
    });
  test("nothing throws, and what is read as a question is one", () => {
    fc.assert(
      fc.property(fc.oneof(bytes, spoilt), (message) => {
        const read = readQuery(Buffer.from(message));
        if (read.ok) {
          expect(read.query.end).toBeLessThanOrEqual(message.length);
          reply(read.query, 2);
        }
        readAnswer(Buffer.from(message), "a.example");
        isTruncated(message);
      }),
      { numRuns: 5000 },
    );
  });
  test("no pointer that leads to itself holds anybody up", () => {
    const trap = answer("a.example", "A", []);
    trap.writeUInt16BE(1, 6);
    const loop = Buffer.concat([trap, Buffer.from([0xc0, trap.length, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4])]);
    const began = performance.now();
    readAnswer(loop, "a.example");
    expect(performance.now() - began).toBeLessThan(100);
  });
});

function asked(name: string, type: "A" | "AAAA", room?: number): Buffer {
  const bytes = questionFor("x.example", type === "A" ? types.a : types.aaaa, 7);
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: room ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
  } as never;
  const additionals = room === undefined ? [] : [opt];
  return packet.encode({ ...packet.decode(bytes), questions: [{ name, type }], additionals });
}

function answer(name: string, type: "A" | "AAAA", records: Answer[]): Buffer {
  return packet.encode({ type: "response", id: 7, questions: [{ name, type }], answers: records });
}

function must(bytes: Buffer): Query {
  const read = readQuery(bytes);
  if (!read.ok) throw new Error("not read");
  return read.query;
}
