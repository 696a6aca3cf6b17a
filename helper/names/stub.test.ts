import packet, { type Answer } from "dns-packet";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { Server } from "./ask.ts";
import { type Query } from "./message.ts";
import { answering, mostInFlight, openStub, type StubDeps } from "./stub.ts";

const first: Server = { address: "192.0.2.53" as Address, from: null, mark: null };
const second: Server = { address: "198.51.100.53" as Address, from: null, mark: null };

describe("a name that a rule means", () => {
  test("is answered only when its addresses are in place", async () => {
    const order: string[] = [];
    let put: () => void = () => undefined;
    const placed = new Promise<void>((done) => (put = done));
    const answer = answering(
      world({
        place: async (name, found) => {
          order.push(`place ${name} ${found.map((f) => f.address).join()}`);
          await placed;
          order.push("placed");
          return true;
        },
      }),
    );
    const told = answer(question("www.bank.example"), "udp").then((bytes) => {
      order.push("answered");
      return bytes;
    });
    await new Promise((done) => setTimeout(done, 5));
    put();
    expect(addressesOf(await told)).toEqual(["192.0.2.7"]);
    expect(order).toEqual(["place www.bank.example 192.0.2.7", "placed", "answered"]);
  });
  test("is answered SERVFAIL when they cannot be", async () => {
    const told = await answering(world({ place: async () => false }))(question("bank.example"), "udp");
    expect(told === null ? null : packet.decode(told)).toMatchObject({ rcode: "SERVFAIL", answers: [] });
  });
  test("has its chain followed where the resolver left it", async () => {
    const asked: string[] = [];
    const placed: string[] = [];
    const answer = answering(
      world({
        ask: async (_server, query) => {
          asked.push(query.name ?? "");
          return query.name === "bank.example"
            ? answered(query, [{ name: "bank.example", type: "CNAME", ttl: 7, data: "cdn.example" }])
            : answered(query, [{ name: "cdn.example", type: "A", ttl: 700, data: "192.0.2.8" }]);
        },
        place: async (name, found) => {
          placed.push(`${name} ${found.map((f) => `${f.address} ${f.ttl}`).join()}`);
          return true;
        },
      }),
    );
    await answer(question("bank.example"), "udp");
    expect(asked).toEqual(["bank.example", "cdn.example"]);
    expect(placed).toEqual(["bank.example 192.0.2.8 7"]);
  });
  test("has no HTTPS record, which would carry addresses of its own", async () => {
    const asked: string[] = [];
    const answer = answering(world({ ask: async (_s, q) => answered((asked.push("asked"), q), []) }));
    const told = await answer(question("bank.example", "HTTPS" as never, 65), "udp");
    expect(told === null ? null : packet.decode(told)).toMatchObject({ rcode: "NOERROR", answers: [] });
    expect(asked).toEqual([]);
  });
});

describe("any name", () => {
  test("is asked of the next server when one is silent or fails", async () => {
    const asked: string[] = [];
    const answer = answering(
      world({
        ask: async (server, query) => {
          asked.push(server.address);
          if (server === first) throw new Error("silent");
          return answered(query, [{ name: query.name ?? "", type: "A", ttl: 5, data: "192.0.2.7" }]);
        },
      }),
    );
    expect(addressesOf(await answer(question("a.example"), "udp"))).toEqual(["192.0.2.7"]);
    expect(asked).toEqual([first.address, second.address]);
  });
  test("fails while nobody may be asked", async () => {
    const told = await answering(world({ servers: () => [] }))(question("a.example"), "udp");
    expect(told === null ? null : packet.decode(told)).toMatchObject({ rcode: "SERVFAIL" });
  });
  test("that many ask at once is asked once, each under his own id", async () => {
    let asked = 0;
    const answer = answering(
      world({
        ask: async (_server, query) => {
          asked += 1;
          await new Promise((done) => setTimeout(done, 5));
          return answered(query, []);
        },
      }),
    );
    const told = await Promise.all([1, 2, 3].map((id) => answer(question("a.example", "A", undefined, id), "udp")));
    expect(told.map((bytes) => bytes?.readUInt16BE(0))).toEqual([1, 2, 3]);
    expect(asked).toBe(1);
  });
  test("beyond the bound is refused at once, and the bound frees itself", async () => {
    let open: (() => void)[] = [];
    const answer = answering(world({ ask: (_s, q) => new Promise((done) => open.push(() => done(answered(q, [])))) }));
    const waiting = Array.from({ length: mostInFlight }, (_, i) => answer(question(`n${i}.example`), "udp"));
    const over = await answer(question("over.example"), "udp");
    expect(over === null ? null : packet.decode(over)).toMatchObject({ rcode: "SERVFAIL" });
    const all = open;
    open = [];
    for (const done of all) done();
    await Promise.all(waiting);
    const next = answer(question("next.example"), "udp");
    await new Promise((done) => setTimeout(done, 1));
    for (const done of open) done();
    expect(await next).not.toBeNull();
  });
  test("with an answer too long for its asker is cut off by UDP and whole by TCP", async () => {
    const many = (q: Query): Answer[] =>
      Array.from({ length: 60 }, (_, i) => ({ name: q.name ?? "", type: "A", ttl: 5, data: `192.0.2.${i}` }));
    const answer = answering(world({ ask: async (_s, q) => answered(q, many(q)) }));
    const cut = await answer(question("a.example"), "udp");
    expect(cut === null ? null : packet.decode(cut)).toMatchObject({ flag_tc: true, answers: [] });
    expect(addressesOf(await answer(question("a.example"), "tcp"))).toHaveLength(60);
  });
});

test("whatever bytes come, an answer comes or none, and nothing throws", async () => {
  const answer = answering(world({}));
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.constantFrom("udp", "tcp"), async (bytes, over) => {
      const told = await answer(Buffer.from(bytes), over);
      if (told !== null) expect(told.length).toBeGreaterThanOrEqual(12);
    }),
    { numRuns: 1000 },
  );
});

test("a second one on the same port is told so", async () => {
  const address = "127.76.86.99" as Address;
  const stub = await openStub(address, 45_353, world({}));
  await expect(openStub(address, 45_353, world({}))).rejects.toMatchObject({ code: "EADDRINUSE" });
  await stub.close();
  await (await openStub(address, 45_353, world({}))).close();
});

function world(some: Partial<StubDeps>): StubDeps {
  return {
    servers: () => [first, second],
    isMeant: (name) => name.endsWith("bank.example"),
    place: async () => true,
    ask: async (_server, query) => answered(query, [{ name: query.name ?? "", type: "A", ttl: 5, data: "192.0.2.7" }]),
    log: () => undefined,
    ...some,
  };
}

function question(name: string, type: "A" | "AAAA" = "A", number?: number, id = 7): Buffer {
  const known = number === undefined ? type : "A";
  const bytes = packet.encode({
    type: "query",
    id,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type: known }],
  });
  if (number !== undefined) bytes.writeUInt16BE(number, bytes.length - 4);
  return bytes;
}

function answered(query: Query, records: Answer[]): Buffer {
  const { questions = [] } = packet.decode(query.bytes);
  return packet.encode({ type: "response", id: query.id, questions, answers: records });
}

function addressesOf(bytes: Buffer | null): unknown[] {
  return bytes === null ? [] : (packet.decode(bytes).answers ?? []).flatMap((a) => (a.type === "A" ? [a.data] : []));
}
