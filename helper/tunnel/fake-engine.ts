// An engine for tests: speaks the real UAPI on a real unix socket, moves no packets. The test says what its node does.
import { rmSync } from "node:fs";
import { createServer } from "node:net";

import type { Engine, EngineKind } from "./engine.ts";
import { exchange, parsePeer, printKeepalive, printSet } from "./uapi.ts";

export interface FakeEngine extends Engine {
  /** Every `set` it was given. */
  readonly sets: readonly string[];
  die(how: string): void;
  count(rxBytes: number, txBytes: number): void;
}

export async function startFakeEngine(path: string, kind: EngineKind, node: { answers: boolean }): Promise<FakeEngine> {
  const sets: string[] = [];
  let key = "";
  let handshake = 0;
  let bytes = { rx: 0, tx: 0 };
  let ended: (how: string) => void = () => undefined;
  const server = createServer((socket) => {
    let request = "";
    socket.on("data", (chunk) => {
      request += chunk.toString();
      if (!request.endsWith("\n\n")) return;
      if (request.startsWith("set=1")) {
        sets.push(request);
        key = /public_key=([0-9a-f]{64})/.exec(request)?.[1] ?? key;
        if (request.includes("replace_peers=true")) handshake = 0;
        socket.write("errno=0\n\n");
      } else {
        if (node.answers && handshake === 0) handshake = Date.now();
        const sec = Math.floor(handshake / 1000);
        const lines = [
          `public_key=${key}`,
          `last_handshake_time_sec=${sec}`,
          `rx_bytes=${bytes.rx}`,
          `tx_bytes=${bytes.tx}`,
        ];
        socket.write(`listen_port=1\n${lines.join("\n")}\nerrno=0\n\n`);
      }
      request = "";
    });
    socket.on("error", () => socket.destroy());
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const close = (how: string): void => {
    server.close();
    ended(how);
  };
  const engine: FakeEngine = {
    pid: process.pid,
    kind,
    sets,
    ended: new Promise((resolve) => (ended = resolve)),
    async peer(peering) {
      await exchange(path, printSet({ ...peering, fwmark: null }));
    },
    async answered(configuration, deadlineMs, signal) {
      const deadline = performance.now() + deadlineMs;
      while (performance.now() < deadline && !signal.aborted) {
        const peer = await engine.state(configuration.publicKey);
        if (peer?.lastHandshake != null) {
          await exchange(path, printKeepalive(configuration));
          return true;
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      return false;
    },
    async state(publicKey) {
      return parsePeer(await exchange(path, "get=1\n\n"), publicKey);
    },
    async roundTripMs() {
      return null;
    },
    async stop() {
      close("SIGTERM");
    },
    die: close,
    count(rx, tx) {
      bytes = { rx, tx };
    },
  };
  return engine;
}
