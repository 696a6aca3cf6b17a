// Canaries of a leak check: packets that must not get out, each with a nonce that nobody else can know. Sent by sockets that
// name an uplink and as raw frames, in every lane's despite, and looked for on the wire behind all locks. Then a packet goes
// into the tunnel, so that the watch is seen to see; a watch that sees nothing, or missed frames, holds no claim.
// A refusal by the kernel is the answer hoped for, and what the wire shows is the one that counts.
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

import { canaryPort } from "../contract/message.ts";
import { type Address, familyOf } from "../contract/prefix.ts";
import { canaryPacket, canaryText } from "./canary-packet.ts";
import type { Native, WireCounts, WireRules } from "./native.ts";
import type { WireWatch } from "./wire.ts";

export interface Flight {
  readonly links: WireRules["links"];
  /** Addresses of the uplinks; a canary says it comes from one. */
  readonly own: readonly Address[];
  /** Where policy sends nothing by an uplink, at most one a family. */
  readonly targets: { readonly sockets: readonly Target[]; readonly frames: readonly Address[] };
  /** Nonces of canaries that the caller sends meanwhile. */
  readonly theirs: readonly string[];
  /** An address of the tunnel's far side. */
  readonly beyond: Address | null;
}

export interface Target {
  readonly address: Address;
  /**
   * Whoever is seen to ask a neighbour for this address, or to send to it, is this canary. Not so where an uplink without
   * a gateway asks for everything; there the packet itself must be seen.
   */
  readonly bySight: boolean;
}

export interface Tally {
  readonly tried: number;
  /** Of these, by the kernel at once. */
  readonly refused: number;
  readonly seen: number;
  /** Why the last one was not even tried. */
  readonly failed: string | null;
}

export interface Landed {
  readonly sockets: Tally;
  readonly frames: Tally;
  /** What keeps "none seen" from meaning "none left". */
  readonly blind:
    { readonly why: "not-watched" | "silent" } | { readonly why: "missed"; readonly count: number } | null;
}

export type SendCanaries = (flight: Flight) => Promise<Landed>;

/** Until a packet for the far side is on the wire: the engine needs no answer for it. */
const seenWithinMs = 1000;
/** A block of the ring is handed over 20 ms old at the latest (native wire/ring.rs); and some for a loaded machine. */
const handedOverMs = 120;
/** For the caller's own canaries to be sent, whose helper call this answers. */
const theirsMs = 400;

/** One flight at a time: the watch looks for one set of nonces. */
export function canariesOf(native: Pick<Native, "sendBy" | "frameSend">, wire: WireWatch): SendCanaries {
  let last: Promise<unknown> = Promise.resolve();
  return (flight) => {
    const next = last.then(() => fly(native, wire, flight));
    last = next.catch(() => undefined);
    return next;
  };
}

interface Canary {
  readonly kind: "sockets" | "frames";
  /** What it is known by on the wire. */
  readonly signs: readonly string[];
  readonly send: () => void;
}

type Sender = Pick<Native, "sendBy" | "frameSend">;

async function fly(native: Sender, wire: WireWatch, flight: Flight): Promise<Landed> {
  const canaries = [...socketsOf(native, flight), ...framesOf(native, flight)];
  wire.lookFor([...canaries.flatMap((canary) => canary.signs), ...flight.theirs]);
  const before = wire.counts();
  const sent = canaries.map((canary) => ({ canary, answer: attempt(canary) }));
  const silent = before !== null && !(await watchSees(wire, before, flight));
  await pause(Math.max(handedOverMs, flight.theirs.length > 0 ? theirsMs : 0));
  const after = wire.counts();
  wire.lookFor([]);
  const sighted = after?.sighted ?? [];
  const tally = (kind: Canary["kind"], theirs: readonly string[]): Tally => {
    const ours = sent.filter(({ canary }) => canary.kind === kind);
    const tried = ours.filter(({ answer }) => answer === null || refusals.has(answer));
    return {
      tried: tried.length,
      refused: tried.filter(({ answer }) => answer !== null).length,
      seen:
        ours.filter(({ canary }) => canary.signs.some((sign) => sighted.includes(sign))).length +
        theirs.filter((nonce) => sighted.includes(nonce)).length,
      failed: ours.find(({ answer }) => answer !== null && !refusals.has(answer))?.answer ?? null,
    };
  };
  return {
    sockets: tally("sockets", flight.theirs),
    frames: tally("frames", []),
    blind: blindness(before, after, silent),
  };
}

/** SO_BINDTODEVICE, which any user may ask for (kernel finding B). */
function socketsOf(native: Sender, { links, targets }: Flight): Canary[] {
  const names = [...new Set(links.map(({ link }) => link))];
  return names.flatMap((link) =>
    targets.sockets.map(({ address, bySight }): Canary => {
      const nonce = newNonce();
      return {
        kind: "sockets",
        signs: bySight ? [nonce, address] : [nonce],
        send: () => native.sendBy(link, address, canaryPort, canaryText(nonce)),
      };
    }),
  );
}

/** IEEE 802: IPv4, IPv6, and the type that is left for experiments at home. */
const [ipv4Type, ipv6Type, experimentType] = [0x0800, 0x86dd, 0x88b5];

function framesOf(native: Sender, { links, own, targets }: Flight): Canary[] {
  return links.flatMap(({ device }) => {
    const packets = targets.frames.flatMap((address) => {
      const source = own.find((one) => familyOf(one) === familyOf(address));
      if (source === undefined) return [];
      const type = familyOf(address) === 4 ? ipv4Type : ipv6Type;
      return [frame(device, type, (text) => canaryPacket(source, address, text))];
    });
    return [...packets, frame(device, experimentType, (text) => text)];
  });

  function frame(device: string, type: number, form: (text: Buffer) => Buffer): Canary {
    const nonce = newNonce();
    return {
      kind: "frames",
      signs: [nonce],
      send: () => native.frameSend(device, type, form(canaryText(nonce))),
    };
  }
}

/** How the three locks answer a sender: the inet table, the egress chain, routing (kernel 3.11, 4.10, 1.5, 1.6). */
const refusals: ReadonlySet<string> = new Set(["EPERM", "ENOBUFS", "ENETUNREACH", "EHOSTUNREACH"]);

/** null: it was taken. */
function attempt({ send }: Canary): string | null {
  try {
    send();
    return null;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
  }
}

async function watchSees(wire: WireWatch, before: WireCounts, { beyond }: Flight): Promise<boolean> {
  const until = performance.now() + seenWithinMs;
  if (beyond !== null) sendInside(beyond);
  while (performance.now() < until) {
    if ((wire.counts()?.seen ?? 0) > before.seen) return true;
    await pause(20);
  }
  return false;
}

function sendInside(to: Address): void {
  const socket = createSocket(familyOf(to) === 4 ? "udp4" : "udp6");
  // whether it could be sent is told by the watch
  socket.on("error", () => undefined);
  socket.send("culvert", canaryPort, to, () => socket.close());
}

function blindness(before: WireCounts | null, after: WireCounts | null, silent: boolean): Landed["blind"] {
  if (before === null || after === null) return { why: "not-watched" };
  const count = after.missed - before.missed;
  if (count !== 0) return { why: "missed", count };
  return silent ? { why: "silent" } : null;
}

const newNonce = (): string => randomBytes(16).toString("hex");
const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
