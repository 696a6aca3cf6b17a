// What is measured over a road, each with the tools everybody has: iperf3 and ping. A measurement is a record of
// figures by the name their row gets.
import { z } from "zod";

import type { Machine } from "../lab/machine.ts";
import { until } from "../lab/process.ts";
import { peakMiB, type Pair, processorSeconds } from "./engine-ends.ts";
import { end, type Family, type Road } from "./engine-road.ts";

export type Figures = Readonly<Record<string, number>>;

export interface Ground {
  readonly road: Road;
  readonly family: Family;
  /** Undefined on the bare cable. */
  readonly pair: Pair | undefined;
  /** Address at the far end, to which traffic goes. */
  readonly to: string;
  readonly seconds: number;
}

const tcpSchema = z.object({
  end: z.object({ sum_received: z.object({ bytes: z.number(), seconds: z.number(), bits_per_second: z.number() }) }),
});
const udpSchema = z.object({
  end: z.object({ sum: z.object({ bytes: z.number(), bits_per_second: z.number(), lost_percent: z.number() }) }),
});

/** Runs `body` while an iperf3 server listens at the far end. */
export async function withServer<T>(road: Road, body: () => Promise<T>): Promise<T> {
  const { b } = road.machines;
  const server = b.spawn(["iperf3", "-s"], { cwd: "/" });
  server.stdout?.resume();
  server.stderr?.resume();
  try {
    await until("iperf3 listens", async () => (await b.exec("ss -Hltn sport = 5201")).stdout !== "" || undefined);
    return await body();
  } finally {
    await end([server]);
  }
}

/** The machine's own congestion control may be another; cubic is what most have. */
const tcp = (seconds: number): readonly string[] => ["-C", "cubic", "-O", "1", "-t", `${seconds}`];

export async function tcp1(ground: Ground): Promise<Figures> {
  const { gbits, sender, receiver } = await stream(ground, tcp(ground.seconds));
  return {
    tcp1: gbits,
    ...(sender === undefined || receiver === undefined
      ? {}
      : { cpu_per_gb: sender + receiver, "cpu_per_gb.sender": sender, "cpu_per_gb.receiver": receiver }),
  };
}

export async function tcp4(ground: Ground): Promise<Figures> {
  return { tcp4: (await stream(ground, [...tcp(ground.seconds), "-P", "4"])).gbits };
}

export async function reverse(ground: Ground): Promise<Figures> {
  return { reverse: (await stream(ground, [...tcp(ground.seconds), "-R"])).gbits };
}

/** The first second is not counted in iperf3's bytes, but costs processor time. */
async function stream(
  ground: Ground,
  words: readonly string[],
): Promise<{ gbits: number; sender: number | undefined; receiver: number | undefined }> {
  const before = used(ground);
  const { end: ended } = tcpSchema.parse(await iperf(ground, words));
  const after = used(ground);
  const { bytes, seconds, bits_per_second } = ended.sum_received;
  const gigabytes = ((bytes / 1e9) * (seconds + 1)) / seconds;
  const perGigabyte = (side: 0 | 1): number | undefined =>
    before && after ? (after[side] - before[side]) / gigabytes : undefined;
  return { gbits: bits_per_second / 1e9, sender: perGigabyte(0), receiver: perGigabyte(1) };
}

/** One gigabit a second of packets that just fit; what arrives counts. */
export async function udp(ground: Ground): Promise<Figures> {
  const { gbits, perGigabyte } = await datagrams(ground, "1G");
  return { udp: gbits, ...(perGigabyte === undefined ? {} : { "udp.cpu_per_gb": perGigabyte }) };
}

/** As many as iperf3 can send. */
export async function udpFull(ground: Ground): Promise<Figures> {
  return { udp_full: (await datagrams(ground, "0")).gbits };
}

async function datagrams(
  ground: Ground,
  rate: string,
): Promise<{ readonly gbits: number; readonly perGigabyte: number | undefined }> {
  const payload = ground.family === 4 ? 1392 : 1372;
  const before = used(ground);
  const words = ["-u", "-b", rate, "-l", `${payload}`, "-t", `${ground.seconds}`];
  const { sum } = udpSchema.parse(await iperf(ground, words)).end;
  const after = used(ground);
  const arrived = 1 - sum.lost_percent / 100;
  const spent = before && after ? after[0] + after[1] - before[0] - before[1] : undefined;
  return {
    gbits: (sum.bits_per_second / 1e9) * arrived,
    perGigabyte: spent === undefined ? undefined : spent / ((sum.bytes / 1e9) * arrived),
  };
}

/** Round trips of an idle tunnel, one every 2 ms. */
export async function rtt(ground: Ground): Promise<Figures> {
  const times = await ping(ground.road.machines.a, ground.to, 0.002, ground.seconds * 300);
  return { "rtt.p50": quantile(times, 0.5), "rtt.p99": quantile(times, 0.99) };
}

/** Round trips beside a stream that takes all it can get. */
export async function loaded(ground: Ground): Promise<Figures> {
  const { a } = ground.road.machines;
  const load = iperf(ground, tcp(ground.seconds));
  const times = await ping(a, ground.to, 0.005, ground.seconds * 200);
  await load;
  return { "loaded.p50": quantile(times, 0.5), "loaded.p99": quantile(times, 0.99) };
}

/** A fresh pair: handshake, and the packet that waited for it. */
export async function firstReply(ground: Ground): Promise<Figures> {
  const [first = NaN] = await ping(ground.road.machines.a, ground.to, 1, 1);
  return { first_reply: first };
}

export function memory({ pair }: Ground): Figures {
  return pair === undefined ? {} : { rss: Math.max(peakMiB(pair.a.pid), peakMiB(pair.b.pid)) };
}

function used({ pair }: Ground): readonly [number, number] | undefined {
  return pair && [processorSeconds(pair.a.pid), processorSeconds(pair.b.pid)];
}

async function iperf(ground: Ground, words: readonly string[]): Promise<unknown> {
  const { a } = ground.road.machines;
  const { stdout } = await a.exec(["iperf3", "-J", "-c", ground.to, ...words], { timeoutMs: 60_000 });
  return JSON.parse(stdout);
}

/** Milliseconds; a lost answer is an error, for no link here loses any. */
export async function ping(machine: Machine, to: string, interval: number, count: number): Promise<readonly number[]> {
  const words = ["ping", "-n", "-i", `${interval}`, "-c", `${count}`, "-W", "5", to];
  const { stdout } = await machine.exec(words, { timeoutMs: 60_000, mayFail: true });
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map((found) => Number(found[1]));
  if (times.length === 0) throw new Error(`no answer from ${to}: ${stdout.slice(0, 500)}`);
  return times.sort((x, y) => x - y);
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
