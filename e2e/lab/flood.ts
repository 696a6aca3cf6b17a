// Floods as values, and the process that sends one. Every stream goes at a steady rate and is bounded in time.
import packet from "dns-packet";

import { eachLine, firstLine } from "./process.ts";
import type { Machine } from "./machine.ts";
import { places } from "./places.ts";
import { binary } from "./wire.ts";

/** How a socket names its way out. Same names as in native/link. */
export interface Way {
  readonly device?: string;
  readonly unicastIf?: string;
  readonly multicastIf?: string;
  readonly pktinfo?: string;
  readonly source?: string;
  readonly hop?: string;
}

export type Stream = { readonly name: string; readonly rate: number; readonly count?: number } & (
  | {
      readonly kind: "udp";
      readonly to: string;
      readonly port: number;
      readonly way?: Way;
      readonly hex?: string;
      readonly fresh?: boolean;
    }
  | { readonly kind: "connect" | "stream"; readonly to: string; readonly port: number; readonly way?: Way }
  | { readonly kind: "echo"; readonly to: string; readonly way?: Way }
  | { readonly kind: "frame"; readonly device: string; readonly hex: string; readonly bypassQdisc?: boolean }
);

export interface StreamReport {
  readonly sent: number;
  /** By errno: how often the kernel said no. */
  readonly refused: Readonly<Record<string, number>>;
  readonly notOpened?: string;
}
export type FloodReport = Readonly<Record<string, StreamReport>>;

export interface Flood {
  /** Sockets are open, nothing is sent before. */
  go(): void;
  /** Ends it, or waits until its time is up; gives what was sent. */
  stop(): Promise<FloodReport>;
  readonly done: Promise<FloodReport>;
}

export const floodRate = 1000;

/** UDP, TCP, ICMP over both families to public addresses and to port 53. */
export function everything(way: Way = {}, prefix = "", rate = floodRate): readonly Stream[] {
  return ([4, 6] as const).flatMap((family): Stream[] => {
    const web = family === 4 ? places.web.ipv4 : places.web.ipv6;
    const resolver = family === 4 ? places.resolver.ipv4 : places.resolver.ipv6;
    const named = (what: string) => ({ name: `${prefix}${what}${family}`, rate, way });
    return [
      { ...named("udp"), kind: "udp", to: web, port: 9, fresh: true },
      { ...named("tcp"), kind: "connect", to: web, port: 80 },
      { ...named("icmp"), kind: "echo", to: web },
      { ...named("dns-udp"), kind: "udp", to: resolver, port: 53, hex: query("flood.beacon.example") },
      { ...named("dns-tcp"), kind: "connect", to: resolver, port: 53 },
    ];
  });
}

/** Sockets opened before anything changes: datagrams from one socket, and a connection that already stands. */
export function longOpen(rate = floodRate): readonly Stream[] {
  return ([4, 6] as const).flatMap((family): Stream[] => {
    const to = family === 4 ? places.web.ipv4 : places.web.ipv6;
    return [
      { name: `open-udp${family}`, kind: "udp", to, port: 9, rate },
      { name: `open-tcp${family}`, kind: "stream", to, port: 9, rate },
      { name: `open-icmp${family}`, kind: "echo", to, rate },
    ];
  });
}

export function query(name: string): string {
  const questions = [{ type: "A" as const, name }];
  return packet.encode({ type: "query", id: 1, flags: packet.RECURSION_DESIRED, questions }).toString("hex");
}

/** Opens the sockets; sends nothing before `go`. */
export async function openFlood(machine: Machine, streams: readonly Stream[], seconds: number): Promise<Flood> {
  const child = machine.spawn([binary("culvert-flood"), JSON.stringify({ seconds, wait: true, streams })]);
  const lines: string[] = [];
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stdin?.on("error", () => undefined);
  const done = new Promise<FloodReport>((resolve, reject) => {
    child.once("close", (code) => {
      const last = lines.at(-1);
      if (code !== 0 || last === undefined) reject(new Error(`flood ended with ${code}: ${said}`));
      else resolve(JSON.parse(last) as FloodReport);
    });
  });
  done.catch(() => undefined);
  await firstLine(child, (line) => line === "ready", "flood");
  eachLine(child, (line) => lines.push(line));
  return {
    go: () => void child.stdin?.write("go\n"),
    stop: () => {
      child.stdin?.write("stop\n");
      return done;
    },
    done,
  };
}

/** Sends for so long and gives the report. */
export async function flood(machine: Machine, streams: readonly Stream[], seconds: number): Promise<FloodReport> {
  const running = await openFlood(machine, streams, seconds);
  running.go();
  return running.done;
}
