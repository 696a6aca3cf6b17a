// A helper that only talks: the twin of helper/server for main's tests. It answers by a script, remembers what it was
// asked, and says what it is told to say.
import { createServer, type Socket } from "node:net";

import type { Node } from "../helper/contract/node.ts";
import { defaultPolicy } from "../helper/contract/policy.ts";
import type { State, Status } from "../helper/contract/status.ts";
import type { HelperEvent, RequestName } from "../helper/contract/message.ts";

export interface FakeHelper {
  readonly asked: readonly { readonly call: RequestName; readonly params: unknown }[];
  /** Answers a call with a value instead of what the helper says by itself; "silence" answers never. */
  answer(call: RequestName, reply: Reply): void;
  say(event: HelperEvent): void;
  /** A raw line to every caller. */
  sayLine(line: string): void;
  /** Resolves when a call comes (or has come) for the `times`th time. */
  heard(call: RequestName, times?: number): Promise<unknown>;
  close(): Promise<void>;
}

type Reply =
  | { readonly ok: true; readonly result: unknown }
  | {
      readonly ok: false;
      readonly id?: null;
      readonly refusal: { readonly code: string; readonly data: Record<string, unknown> };
    }
  | "silence";

export async function openFakeHelper(path: string, nodes: readonly Node[]): Promise<FakeHelper> {
  const asked: { call: RequestName; params: unknown }[] = [];
  const callers = new Set<Socket>();
  const scripted = new Map<RequestName, Reply>();
  const waiting: { call: RequestName; times: number; done: (params: unknown) => void }[] = [];
  let status = statusOf({ kind: "off" });

  const own = (call: RequestName, params: { node?: string }): unknown => {
    const node = nodes.find((n) => n.id === params.node);
    const reference = node === undefined ? null : { id: node.id, name: node.name, endpoint: node.endpoint.host };
    if (call === "hello") return { version: 1, helper: "0.0.1" };
    if (call === "nodes") return nodes;
    if (call === "policy") return defaultPolicy;
    if (call === "leaks") return [];
    if (call === "connect" && reference !== null) status = statusOf({ kind: "connected", node: reference }, status.seq);
    if (call === "disconnect") status = statusOf({ kind: "off" }, status.seq);
    return status;
  };
  const hear = (socket: Socket, line: string): void => {
    const { id, call, params } = JSON.parse(line) as { id: number; call: RequestName; params: { node?: string } };
    asked.push({ call, params });
    const reply = scripted.get(call) ?? { ok: true, result: own(call, params) };
    if (reply !== "silence") socket.write(`${JSON.stringify({ id, ...reply })}\n`);
    if (call === "connect" || call === "disconnect") say({ event: "status", data: status });
    for (const one of waiting) if (count(one.call) >= one.times) one.done(params);
  };
  const count = (call: RequestName): number => asked.filter((a) => a.call === call).length;
  const sayLine = (line: string): void => callers.forEach((socket) => socket.write(`${line}\n`));
  const say = (event: HelperEvent): void => {
    if (event.event === "status") status = event.data;
    sayLine(JSON.stringify(event));
  };

  const server = createServer((socket) => {
    callers.add(socket);
    let rest = "";
    socket.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString("utf8")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) hear(socket, line);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => callers.delete(socket));
  });
  await new Promise<void>((done, failed) => server.once("error", failed).listen(path, done));

  return {
    asked,
    answer: (call, reply) => void scripted.set(call, reply),
    say,
    sayLine,
    heard: (call, times = 1) =>
      new Promise((done) => {
        if (count(call) >= times) return done(asked.filter((a) => a.call === call)[times - 1]?.params);
        waiting.push({ call, times, done });
      }),
    async close() {
      for (const socket of callers) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

export function statusOf(state: State, seq = 0): Status {
  return {
    seq: seq + 1,
    helper: { version: "0.0.1", at: 1_700_000_000_000 },
    state,
    since: 1_700_000_000_000,
    host: "here",
    uplinks: [{ name: "eth0", addresses: [], gateways: [], lan: [] }],
    direct: [],
    ipv6: "absent",
    inside: [],
    seenAs: { ipv4: null, ipv6: null },
    dns: { servers: [], by: "none" },
    proof: null,
    drift: [],
    notices: [],
  };
}

export function nodeOf(letter: string, name: string, more: Partial<Node> = {}): Node {
  return {
    id: `${letter.repeat(43)}=`,
    name,
    city: null,
    country: null,
    latitude: null,
    longitude: null,
    endpoint: { host: "192.0.2.1", port: 51820 },
    carries: { ipv4: true, ipv6: true },
    addresses: [],
    dns: [],
    allowedIps: [],
    mtu: null,
    favourite: false,
    lastUsed: null,
    load: null,
    ping: null,
    ...more,
  };
}
