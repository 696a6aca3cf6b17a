// WireGuard's cross-platform configuration protocol (https://www.wireguard.com/xplatform/): `get=1`, `set=1` as lines over a
// unix socket, one exchange a connection. What the engine answers is parsed strictly; its private key, which `get` repeats,
// is dropped on the way in.
import { createConnection } from "node:net";

import type { Address } from "../contract/prefix.ts";
import { KernelError } from "../kernel/kernel.ts";
import type { Configuration } from "../nodes/conf.ts";

export interface PeerState {
  readonly endpoint: string | null;
  /** Unix milliseconds; null: never. */
  readonly lastHandshake: number | null;
  readonly rxBytes: number;
  readonly txBytes: number;
}

export interface Peering {
  readonly configuration: Configuration;
  readonly endpoint: { readonly address: Address; readonly port: number };
  /** Only an engine that opens its own socket needs the mark told. */
  readonly fwmark: number | null;
}

/** A keepalive interval makes the engine greet the node at once; 25 s is what wg(8) recommends behind NAT. */
export const keepaliveSeconds = 25;

export function printSet({ configuration: c, endpoint, fwmark }: Peering): string {
  const host = endpoint.address.includes(":") ? `[${endpoint.address}]` : endpoint.address;
  return [
    "set=1",
    `private_key=${hexOf(c.privateKey)}`,
    ...(fwmark === null ? [] : [`fwmark=${fwmark}`]),
    ...(c.listenPort === null ? [] : [`listen_port=${c.listenPort}`]),
    // the same peer made anew greets at once, and forgets the sessions of before
    "replace_peers=true",
    `public_key=${hexOf(c.publicKey)}`,
    ...(c.presharedKey === null ? [] : [`preshared_key=${hexOf(c.presharedKey)}`]),
    `endpoint=${host}:${endpoint.port}`,
    "replace_allowed_ips=true",
    ...c.allowedIps.map((prefix) => `allowed_ip=${prefix}`),
    `persistent_keepalive_interval=${c.keepaliveSeconds === null || c.keepaliveSeconds === 0 ? keepaliveSeconds : c.keepaliveSeconds}`,
    "",
    "",
  ].join("\n");
}

/** After the handshake: what the file says of keepalives. */
export function printKeepalive(c: Configuration): string {
  const lines = [`public_key=${hexOf(c.publicKey)}`, "update_only=true"];
  return ["set=1", ...lines, `persistent_keepalive_interval=${c.keepaliveSeconds ?? keepaliveSeconds}`, "", ""].join(
    "\n",
  );
}

/** Of `get=culvert`, which only our engine answers: the round trip of the last handshake. null: none yet. */
export function parseRoundTrip(text: string, publicKey: string): number | null {
  const section = text.split(/^public_key=/m).find((part) => part.startsWith(hexOf(publicKey)));
  const ms = Number(/^round_trip_ms=(\d+)$/m.exec(section ?? "")?.[1] ?? 0);
  return ms > 0 ? ms : null;
}

/** State of the peer with this public key; undefined when the engine does not have it. */
export function parsePeer(text: string, publicKey: string): PeerState | undefined {
  const wanted = hexOf(publicKey);
  let mine: Map<string, string> | undefined;
  let inside = false;
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    const key = line.slice(0, Math.max(equals, 0));
    const value = line.slice(equals + 1);
    if (key === "public_key") inside = value === wanted;
    if (inside) (mine ??= new Map()).set(key, value);
  }
  if (mine === undefined) return undefined;
  const number = (key: string): number => {
    const value = Number(mine.get(key) ?? "0");
    return Number.isSafeInteger(value) && value >= 0 ? value : 0;
  };
  const seconds = number("last_handshake_time_sec");
  return {
    endpoint: mine.get("endpoint") ?? null,
    lastHandshake: seconds === 0 ? null : seconds * 1000 + Math.floor(number("last_handshake_time_nsec") / 1e6),
    rxBytes: number("rx_bytes"),
    txBytes: number("tx_bytes"),
  };
}

/** One exchange. Throws KernelError where the engine refuses, hangs up or does not answer in time. */
export function exchange(path: string, request: string, deadlineMs = 2000): Promise<string> {
  const doing = request.startsWith("get") ? "reading" : "configuring";
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    let answer = "";
    const fail = (code: string): void => {
      socket.destroy();
      reject(new KernelError(doing, "engine", code));
    };
    socket.setTimeout(deadlineMs, () => {
      // where it was this process that was busy, the answer lies there and is read before the immediates
      setImmediate(fail, "ETIMEDOUT");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      fail(error.code ?? "EIO");
    });
    socket.on("close", () => {
      fail("ECONNRESET");
    });
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
      if (!answer.endsWith("\n\n")) return;
      const errno = /(?:^|\n)errno=(-?\d+)\n\n$/.exec(answer)?.[1];
      if (errno !== "0") return fail(`errno ${errno ?? "missing"}`);
      resolve(answer);
      socket.destroy();
    });
    socket.write(request);
  });
}

function hexOf(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}
