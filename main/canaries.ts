// Canaries of a leak check, sent by what a leak would hurt: an ordinary program of the person's. The helper sends its own as
// root, and a way out that stands open for another account, or only for sockets that name no device, it would not find.
// Each carries a nonce that the helper looks for on the wire; whether policy itself sends one in the open is the helper's to
// know. They are sent again and again until the check is over, for only the helper knows when it looks.
import { randomBytes, randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";

import { canaryPort, maxCanaries, type Params } from "../helper/contract/message.ts";
import { type Address, familyOf, parseAddress } from "../helper/contract/prefix.ts";

export interface Canary {
  readonly nonce: string;
  readonly to: Address;
  /** An address of this machine that its socket is bound to; null: the kernel chooses. */
  readonly from: Address | null;
}

/** The helper looks for some 400 ms; several are sent in that time. */
const everyMs = 100;

/** To documentation addresses (RFC 5737, RFC 3849), which are nobody's: one that leaks reaches no one. */
export function newCanaries(own: readonly Address[]): readonly Canary[] {
  const targets = [`203.0.113.${randomInt(1, 255)}`, `2001:db8:${hex16()}::${hex16()}`];
  return targets.flatMap((text) => {
    const to = parseAddress(text);
    if (to === undefined) return [];
    const sources = own.filter((address) => familyOf(address) === familyOf(to)).slice(0, maxCanaries / 2 - 1);
    return [null, ...sources].map((from): Canary => ({ nonce: randomBytes(16).toString("hex"), to, from }));
  });
}

/** This machine's own addresses. Link-local ones need a device named besides, and reach no further. */
export function ownAddresses(): readonly Address[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"))
    .flatMap(({ address }) => parseAddress(address) ?? []);
}

/** As the request names them. */
export function toldOf(canaries: readonly Canary[]): NonNullable<Params<"leaks">["canaries"]> {
  return canaries.map(({ nonce, to }) => ({ nonce, to }));
}

/** Sends them for as long as `check` takes. */
export async function whileSending<T>(
  canaries: readonly Canary[],
  check: () => Promise<T>,
  port: number = canaryPort,
): Promise<T> {
  const senders = canaries.map((canary) => openSender(canary, port));
  const send = (): void => {
    for (const sender of senders) sender.send();
  };
  send();
  const timer = setInterval(send, everyMs);
  try {
    return await check();
  } finally {
    clearInterval(timer);
    for (const sender of senders) sender.close();
  }
}

const hex16 = (): string => randomInt(1, 0x1_0000).toString(16);

function openSender({ nonce, to, from }: Canary, port: number): { send(): void; close(): void } {
  const socket = createSocket(familyOf(to) === 4 ? "udp4" : "udp6");
  const text = Buffer.from(`culvert canary ${nonce}`);
  let open = false;
  // a refusal is what is hoped for; an address that has gone since cannot leak
  socket.on("error", () => undefined);
  socket.bind(0, from ?? undefined, () => {
    open = true;
    send();
  });
  const send = (): void => {
    if (open) socket.send(text, port, to, () => undefined);
  };
  return {
    send,
    close: () => {
      open = false;
      socket.close();
    },
  };
}
