import { mkdtempSync, rmSync } from "node:fs";
import { createConnection, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { afterEach, expect, test } from "vitest";

import { maxLineBytes, protocolVersion, type HelperEvent } from "../contract/message.ts";
import { grant, refuse } from "../contract/refusal.ts";
import type { Handlers, Hub } from "./dispatch.ts";
import { type Credentials, listen, type Listening, mayCall } from "./listen.ts";

const opened: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

test("root and members of the group may call, others not, and without a group only root", () => {
  const who = (uid: number, gid: number, groups: number[]) => ({ uid, gid, groups });
  expect(mayCall(who(0, 0, []), null)).toBe(true);
  expect(mayCall(who(1000, 1000, [27, 990]), 990)).toBe(true);
  expect(mayCall(who(1000, 990, []), 990)).toBe(true);
  expect(mayCall(who(1000, 1000, [27]), 990)).toBe(false);
  expect(mayCall(who(1000, 1000, [27]), null)).toBe(false);
});

test("a stranger gets one line of refusal and the end", async () => {
  const { path } = await serve({ credentials: () => ({ uid: 1000, gid: 1000, groups: [] }) });
  const caller = await call(path);
  expect(await caller.next()).toEqual({ id: null, ok: false, refusal: { code: "call.not-allowed", data: {} } });
  await caller.ended;
});

test("where credentials cannot be read nobody comes in", async () => {
  const { path } = await serve({
    credentials: () => {
      throw new Error("EINVAL");
    },
  });
  const caller = await call(path);
  expect(await caller.next()).toMatchObject({ refusal: { code: "call.not-allowed" } });
  await caller.ended;
});

test("hello comes first, and its version must be the helper's", async () => {
  const { path } = await serve();
  const early = await call(path);
  early.send({ id: 1, call: "status", params: {} });
  expect(await early.next()).toMatchObject({
    id: 1,
    refusal: { code: "call.version", data: { version: protocolVersion } },
  });
  await early.ended;
  const old = await call(path);
  old.send({ id: 1, call: "hello", params: { version: protocolVersion + 1, client: "test" } });
  expect(await old.next()).toMatchObject({ refusal: { code: "call.version" } });
  await old.ended;
});

test("calls are answered by their id, refusals and failures too, and a failure tells no details", async () => {
  const { path, logged } = await serve();
  const caller = await greeted(path);
  caller.send({ id: 2, call: "nodes", params: {} });
  caller.send({ id: 3, call: "policy", params: {} });
  caller.send({ id: 4, call: "leaks", params: {} });
  const replies = [await caller.next(), await caller.next(), await caller.next()];
  expect(replies).toContainEqual({ id: 2, ok: true, result: [] });
  expect(replies).toContainEqual({ id: 3, ok: false, refusal: { code: "call.not-now", data: {} } });
  expect(replies).toContainEqual({ id: 4, ok: false, refusal: { code: "helper.failed", data: { call: "leaks" } } });
  expect(JSON.stringify(logged)).toContain("what broke");
});

test.each([
  ["no JSON", "hello", "call.malformed"],
  ["no object", "[1,2]", "call.malformed"],
  ["a negative id", '{"id":-1,"call":"status","params":{}}', "call.malformed"],
  ["a field too many", '{"id":1,"call":"status","params":{},"more":1}', "call.malformed"],
  ["a call nobody knows", '{"id":1,"call":"reboot","params":{}}', "call.unknown"],
  ["a name every object has", '{"id":1,"call":"constructor","params":{}}', "call.unknown"],
  ["a parameter too many", '{"id":1,"call":"status","params":{"more":1}}', "call.malformed"],
  ["a parameter of the wrong kind", '{"id":1,"call":"connect","params":{"node":7}}', "call.malformed"],
  ["nesting without end", "[".repeat(200_000), "call.malformed"],
])("%s is refused and the next call is served", async (_what, line, code) => {
  const { path } = await serve();
  const caller = await greeted(path);
  caller.raw(`${line}\n`);
  expect(await caller.next()).toMatchObject({ ok: false, refusal: { code } });
  caller.send({ id: 9, call: "nodes", params: {} });
  expect(await caller.next()).toMatchObject({ id: 9, ok: true });
});

test("a line without end is cut off at the bound, and others go on being served", async () => {
  const { path } = await serve();
  const flood = await greeted(path);
  flood.raw("x".repeat(maxLineBytes + 1));
  expect(await flood.next()).toMatchObject({ refusal: { code: "call.too-big" } });
  await flood.ended;
  await greeted(path);
});

test("ten thousand malformed messages leave it serving with bounded memory", async () => {
  const { path } = await serve();
  const caller = await greeted(path);
  const line = `{"id":1,"call":"connect","params":{"node":"${"A".repeat(2000)}"}}\n`;
  const before = heap();
  for (let n = 0; n < 10_000; n++) caller.raw(n % 2 === 0 ? line : `${line.slice(0, 1000)}\n`);
  for (let n = 0; n < 10_000; n++) expect(await caller.next()).toMatchObject({ ok: false });
  caller.send({ id: 2, call: "nodes", params: {} });
  expect(await caller.next()).toMatchObject({ id: 2, ok: true });
  // 20 MB went in; what stays is noise of the test itself
  expect(heap() - before).toBeLessThan(16 * 1024 * 1024);
});

test("a subscriber that does not read is let go, one that reads hears everything", async () => {
  const { path, emit, listeners } = await serve();
  const reader = await greeted(path);
  const sleeper = await greeted(path);
  for (const c of [reader, sleeper]) {
    c.send({ id: 2, call: "subscribe", params: {} });
    expect(await c.next()).toMatchObject({ id: 2 });
  }
  sleeper.socket.pause();
  expect(listeners()).toBe(2);
  const nodes = { event: "nodes", data: "x".repeat(200_000) } as unknown as HelperEvent;
  let heard = 0;
  for (let n = 0; n < 100; n++) {
    emit(nodes);
    expect(await reader.next()).toMatchObject({ event: "nodes" });
    heard++;
  }
  expect(heard).toBe(100);
  await until(() => listeners() === 1);
});

test("too many callers are told so, and their places come back", async () => {
  const { path } = await serve();
  const callers = await Promise.all(Array.from({ length: 64 }, () => greeted(path)));
  const late = await call(path);
  expect(await late.next()).toMatchObject({ refusal: { code: "call.busy" } });
  callers[0]?.socket.destroy();
  await callers[0]?.ended;
  await until(async () => {
    const again = await call(path);
    again.send({ id: 1, call: "hello", params: { version: protocolVersion, client: "test" } });
    const answer = (await again.next()) as { ok: boolean };
    again.socket.destroy();
    return answer.ok;
  });
});

test("requests of one caller under way are bounded", async () => {
  const { path } = await serve();
  const caller = await greeted(path);
  for (let id = 0; id < 33; id++) caller.send({ id, call: "disconnect", params: {} });
  expect(await caller.next()).toMatchObject({ id: 32, refusal: { code: "call.busy" } });
});

test("a leftover socket file is replaced, a living helper's is not", async () => {
  const { path } = await serve();
  await expect(listen({ path, gid: null, credentials: root, log: () => undefined }, hubOf([]))).rejects.toThrow(
    /another helper/,
  );
});

interface TestCaller {
  readonly socket: Socket;
  readonly ended: Promise<void>;
  send(value: unknown): void;
  raw(text: string): void;
  next(): Promise<unknown>;
}

const root = (): Credentials => ({ uid: 0, gid: 0, groups: [] });

async function serve({ credentials = root } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "culvert-listen-"));
  const path = join(dir, "helper.sock");
  const logged: unknown[] = [];
  const listeners: ((event: HelperEvent) => void)[] = [];
  const server: Listening = await listen(
    { path, gid: null, credentials, log: (what, data) => logged.push({ what, data }) },
    hubOf(listeners),
  );
  opened.push(
    () => {
      rmSync(dir, { recursive: true });
    },
    () => server.close(),
  );
  const emit = (event: HelperEvent) => {
    for (const listener of [...listeners]) listener(event);
  };
  return { path, logged, emit, listeners: () => listeners.length };
}

function hubOf(listeners: ((event: HelperEvent) => void)[]): Hub {
  const notNow = async () => refuse("call.not-now");
  const handlers = {
    ...Object.fromEntries(
      ["connect", "import", "rename", "favourite", "policy", "setPolicy", "plan"].map((n) => [n, notNow]),
    ),
    nodes: async () => grant([]),
    status: async () => grant({}),
    disconnect: () => new Promise(() => undefined),
    leaks: async () => {
      throw new Error("what broke");
    },
  } as unknown as Handlers;
  return {
    version: "test",
    handlers,
    subscribe(listener) {
      listeners.push(listener);
      return () => listeners.splice(listeners.indexOf(listener), 1);
    },
  };
}

async function call(path: string): Promise<TestCaller> {
  const socket = createConnection(path);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  opened.push(() => socket.destroy());
  const queue: unknown[] = [];
  const waiting: ((value: unknown) => void)[] = [];
  let rest = "";
  socket.on("data", (chunk) => {
    const parts = (rest + chunk.toString()).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) {
      const value: unknown = JSON.parse(part);
      const waiter = waiting.shift();
      if (waiter === undefined) queue.push(value);
      else waiter(value);
    }
  });
  socket.on("error", () => undefined);
  return {
    socket,
    ended: new Promise((resolve) =>
      socket.once("close", () => {
        resolve();
      }),
    ),
    send: (value) => socket.write(`${JSON.stringify(value)}\n`),
    raw: (text) => socket.write(text),
    next: () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => waiting.push(resolve))),
  };
}

async function greeted(path: string): Promise<TestCaller> {
  const caller = await call(path);
  caller.send({ id: 1, call: "hello", params: { version: protocolVersion, client: "test" } });
  expect(await caller.next()).toMatchObject({ ok: true, result: { version: protocolVersion, helper: "test" } });
  return caller;
}

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error("waited 5 s");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** After a collection: what is garbage is not held. */
function heap(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}
