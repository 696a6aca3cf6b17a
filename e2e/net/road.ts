// What every packet test stands on: a lab with a node, the daemon on the laptop, a control flood without Culvert, and then
// the tunnel. `underFlood` floods while something happens and gives what the wires saw of it.
import { expect } from "vitest";

import { defaultPolicy, formSchema, type Policy } from "../../helper/contract/policy.ts";
import { type Culvert, startCulvert } from "../lab/culvert.ts";
import { everything, type FloodReport, openFlood, type Stream } from "../lab/flood.ts";
import { internet, nodeIn } from "../lab/internet.ts";
import type { Allowed } from "../lab/judge.ts";
import { confOf } from "../lab/keys.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";
import type { NodeSpec } from "../lab/topology.ts";
import { type Seen, watch, type Watcher } from "../lab/watcher.ts";
import { connectedTo, offline, onSecond } from "./allowed.ts";

/** The form of taking over that these tests run in (T2); `npm test -- forms` runs all of them in each. */
const form = formSchema.parse(process.env["CULVERT_FORM"] ?? "table");
/** What a fresh installation has, in that form. */
export const basePolicy: Policy = { ...defaultPolicy, form };

export interface Road {
  readonly lab: Lab;
  readonly laptop: Machine;
  readonly culvert: Culvert;
  readonly node: NodeSpec;
  /** What may leave the first uplink while connected. */
  readonly allowed: Allowed;
  readonly home: Watcher;
  readonly second: Watcher;
  close(): Promise<void>;
}

export interface RoadOptions {
  readonly cities?: readonly string[];
  readonly policy?: Partial<Policy>;
  readonly allowed?: Partial<Allowed>;
  /** Streams of the control flood; none: no control here. */
  readonly control?: readonly Stream[];
  /** false: the gate has no owner, as on kernels before 6.9. */
  readonly owner?: boolean;
  /** Where programs are told apart. */
  readonly cgroup?: string;
}

export interface Outcome {
  readonly report: FloodReport;
  readonly home: Seen;
  readonly second: Seen;
}

/** Lab, daemon, nodes imported; the control flood has been seen; not connected. */
export async function openRoad(options: RoadOptions = {}): Promise<Road> {
  const cities = options.cities ?? ["Harbourton"];
  const lab = await openLab(internet({ cities }));
  try {
    return await onLab(lab, cities, options);
  } catch (failed) {
    await lab.close();
    throw failed;
  }
}

/** The same, and connected: packets arrive through the node. */
export async function openConnected(options: RoadOptions = {}): Promise<Road> {
  const road = await openRoad(options);
  try {
    await connect(road);
    return road;
  } catch (failed) {
    await road.close();
    throw failed;
  }
}

export async function connect(road: Road): Promise<void> {
  const up = await road.culvert.cli("up", road.node.city);
  if (up.code !== 0) throw new Error(`up: ${up.stdout}${up.stderr}`);
  await throughNode(road);
}

/** Waits until a page comes back that has seen the node's address; throws when none does. */
export async function throughNode(road: Road, timeoutMs = 15_000): Promise<void> {
  await until(
    "a page through the node",
    async () => ((await seenAs(road.laptop)) === road.node.address4 ? true : undefined),
    timeoutMs,
  );
}

/** As whom the web sees the machine; empty when no page comes. */
export async function seenAs(machine: Machine, address: string = places.web.ipv4): Promise<string> {
  const host = address.includes(":") ? `[${address}]` : address;
  const got = await machine.exec(["curl", "-s", "-m", "2", `http://${host}/json`], { mayFail: true });
  return got.code === 0 ? (JSON.parse(got.stdout) as { address: string }).address : "";
}

/** Floods for so long; `during` begins when the flood flows and must end before it does. */
export async function underFlood(
  road: Road,
  streams: readonly Stream[],
  seconds: number,
  during: () => Promise<void> = async () => undefined,
): Promise<Outcome> {
  const running = await openFlood(road.laptop, streams, seconds);
  const since = Date.now();
  running.go();
  await during();
  const report = await running.done;
  const home = await road.home.look(road.allowed, since);
  const second = await road.second.look(onSecond(road.allowed), since);
  return { report, home, second };
}

/** The flood was as strong as it claims, and not one frame went beside. */
export function expectNothingBeside(outcome: Outcome, streams: readonly Stream[], seconds: number): void {
  for (const stream of streams) {
    const one = outcome.report[stream.name];
    expect(one?.notOpened, stream.name).toBe(undefined);
    const tried = (one?.sent ?? 0) + Object.values(one?.refused ?? {}).reduce((sum, n) => sum + n, 0);
    expect(tried, `${stream.name} was tried`).toBeGreaterThan(0.7 * stream.rate * seconds);
  }
  expect({ home: outcome.home.beside, second: outcome.second.beside }).toEqual({ home: [], second: [] });
  expect(outcome.home.counts.beside + outcome.second.counts.beside).toBe(0);
}

/** A default flood of two seconds around `during`, of which nothing may go beside. */
export async function holdsUnderFlood(
  road: Road,
  during: () => Promise<void> = async () => undefined,
  streams: readonly Stream[] = everything(),
  seconds = 3,
): Promise<Outcome> {
  const outcome = await underFlood(road, streams, seconds, during);
  expectNothingBeside(outcome, streams, seconds);
  return outcome;
}

export async function importNode(laptop: Machine, culvert: Culvert, node: NodeSpec): Promise<void> {
  const file = `/run/${node.machine}.conf`;
  await laptop.exec(["tee", file], { input: confOf(node) });
  await culvert.json("import", file, "--name", node.city);
}

async function onLab(lab: Lab, cities: readonly string[], options: RoadOptions): Promise<Road> {
  const laptop = lab.machine("laptop");
  const node = nodeIn(cities[0] ?? "Harbourton");
  const home = watch(lab, "home", "laptop");
  const second = watch(lab, "second", "laptop");
  await controlFlood(laptop, home, options.control ?? everything());
  const culvert = await startCulvert(lab, laptop, {
    ...(options.owner === false && { owner: false }),
    ...(options.cgroup !== undefined && { cgroup: options.cgroup }),
  });
  for (const city of cities) await importNode(laptop, culvert, nodeIn(city));
  if (options.policy !== undefined || form !== "table") await culvert.setPolicy({ ...basePolicy, ...options.policy });
  const allowed = connectedTo(node, options.allowed);
  return { lab, laptop, culvert, node, allowed, home, second, close: () => lab.close() };
}

/** What makes a count of zero worth something: the same flood, without Culvert, is seen. */
async function controlFlood(laptop: Machine, home: Watcher, streams: readonly Stream[]): Promise<void> {
  if (streams.length === 0) return;
  const seconds = 0.5;
  // what comes before the router's hardware address is known waits in a short queue and is lost
  await laptop.exec(["ping", "-c", "1", "-W", "2", places.home.gateway]);
  await laptop.exec(["ping", "-c", "1", "-W", "2", `fe80::1%${places.laptop.uplink}`]);
  const since = Date.now();
  const running = await openFlood(laptop, streams, seconds);
  running.go();
  const report = await running.done;
  const { counts } = await home.look(offline, since);
  const sent = Object.values(report).reduce((sum, one) => sum + one.sent, 0);
  expect(sent, "control: sent without Culvert").toBeGreaterThan(streams.length * 100);
  expect(counts.beside, "control: seen beside without Culvert").toBeGreaterThan(sent / 4);
}
