// The demo's faults: something is broken while packets of every kind are sent, and the wires are asked whether anything went
// beside the tunnel, and the helper whether it came back by itself.
import { onSecond } from "../net/allowed.ts";
import { backupAllowed, figure, must, shot, type Stage, total, wire } from "./demo-stage.ts";
import { everything, longOpen, openFlood } from "./flood.ts";
import { kinds } from "./judge.ts";
import { places } from "./places.ts";
import type { Counts, Watcher } from "./watcher.ts";

const faultSeconds = 4;

export async function engineKilled(stage: Stage): Promise<void> {
  await underFlood(stage, "engine killed", async () => {
    const engines = await must(stage.culvert).engines();
    for (const pid of engines) process.kill(pid, "SIGKILL");
    return `SIGKILL for ${engines.length} engine`;
  });
}

export async function helperKilled(stage: Stage): Promise<void> {
  const culvert = must(stage.culvert);
  await underFlood(stage, "helper killed", async () => {
    await culvert.kill();
    await pause(1500);
    await culvert.start();
    return "SIGKILL for the helper, 1.5 s without one, a new one started";
  });
}

export async function adapterDeleted(stage: Stage): Promise<void> {
  await underFlood(stage, "adapter deleted", async () => {
    await stage.laptop.exec("ip link del culvert0");
    return "ip link del culvert0";
  });
}

export async function secondUplink(stage: Stage): Promise<void> {
  const { lab, laptop } = stage;
  stage.plugged.at = Date.now();
  await underFlood(stage, "second uplink with metric 0", async () => {
    await lab.wire("second").plug("laptop");
    const { uplink, ipv4, gateway } = places.second;
    await laptop.exec(
      `ip link set ${uplink} up; ip addr add ${ipv4}/24 dev ${uplink}; ip route add default via ${gateway} dev ${uplink} metric 0`,
    );
    return `${uplink} came with a default route of metric 0`;
  });
}

export async function gateUnderPings(stage: Stage): Promise<void> {
  const culvert = must(stage.culvert);
  const pings = everything().filter((stream) => stream.kind === "echo");
  await underFlood(
    stage,
    "gate's helper killed under pings",
    async () => {
      await culvert.kill();
      await pause(1500);
      await culvert.start();
      return "SIGKILL for the helper, 1.5 s without one";
    },
    pings,
  );
}

/** Breaks something while packets of every kind are sent, waits for the tunnel to come back, and asks the wires. */
async function underFlood(
  stage: Stage,
  name: string,
  breakIt: () => Promise<string>,
  streams = [...everything({}, "", 200), ...longOpen(200)],
): Promise<void> {
  const { laptop, report } = stage;
  const culvert = must(stage.culvert);
  const running = await openFlood(laptop, streams, 60);
  const since = Date.now();
  running.go();
  await pause(500);
  const done = await breakIt();
  await pause(faultSeconds * 1000 - 500);
  await shot(stage, name.replaceAll(/[^a-z0-9]+/g, "-"), name);
  const back = await culvert.waitFor(["connected"], 30_000).then(
    () => true,
    () => false,
  );
  const tried = total(await running.stop(), "tried");
  const [home, second] = [await stage.home.look(backupAllowed(), since), await lookSecond(stage, since)];
  const { beside } = both(home.counts, second.counts);
  report.check(
    `${name}: nothing beside the tunnel`,
    beside === 0 && tried > 2000,
    `${done}; ${figure(tried)} packets tried; ${wire(both(home.counts, second.counts), [...home.beside, ...second.beside])}`,
  );
  report.check(
    `${name}: it comes back by itself`,
    back,
    back ? "connected again" : `still ${(await culvert.status()).state.kind}`,
  );
}

function both(one: Counts, other: Counts): Counts {
  return Object.fromEntries(kinds.map((kind) => [kind, one[kind] + other[kind]])) as Counts;
}

async function lookSecond(stage: Stage, since: number): Promise<Awaited<ReturnType<Watcher["look"]>>> {
  const at = stage.plugged.at;
  return stage.second.look(onSecond(backupAllowed()), at === null ? Date.now() : Math.max(at, since));
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
