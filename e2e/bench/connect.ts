// connect: the whole road once a round, from a click in the real window to a byte that came through the tunnel, in the
// lab with one node. What a person waits for is measured from outside; what apply takes is the helper's own figure, step
// by step, without the node's answer.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { HelperEvent } from "../../helper/contract/message.ts";
import type { Step } from "../../helper/contract/status.ts";
import { type Culvert, startCulvert } from "../lab/culvert.ts";
import { internet, nodeIn } from "../lab/internet.ts";
import { confOf } from "../lab/keys.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { firstLine } from "../lab/process.ts";
import { openWindow, type Window } from "../lab/window.ts";
import { askHelper, type Asker } from "./ask.ts";
import { type Row, rowOf } from "./rows.ts";

interface Trip {
  readonly firstByteMs: number;
  readonly nodeMs: number;
  readonly applyMs: number;
  readonly undoMs: number;
}

const node = nodeIn("Harbourton");

export async function benchConnect(rounds: number, note: (line: string) => void): Promise<readonly Row[]> {
  const lab = await openLab(internet({ cities: [node.city] }));
  try {
    const laptop = lab.machine("laptop");
    const culvert = await startCulvert(lab, laptop);
    const conf = join(lab.folder, "bench.conf");
    await laptop.exec(["tee", conf], { input: confOf(node) });
    await culvert.json("import", conf, "--name", node.city);
    const starts = await startWindows(lab, laptop, rounds);
    note(`${rounds} starts of the window`);
    const trips = await makeTrips(lab, laptop, rounds, note);
    const memory = await readMemory(lab, laptop, culvert);
    await culvert.stop();
    const row = (name: string, take: (trip: Trip) => number): Row => rowOf(`connect.${name}`, "ms", trips.map(take));
    return [
      row("first_byte", (trip) => trip.firstByteMs),
      row("node_answers", (trip) => trip.nodeMs),
      row("apply", (trip) => trip.applyMs),
      row("undo", (trip) => trip.undoMs),
      rowOf("window.cold_start", "ms", starts),
      ...Object.entries(memory).map(([part, samples]) => rowOf(`memory.${part}`, "MiB", samples)),
    ];
  } finally {
    await lab.close();
  }
}

/** Each with a profile that has been used before; the first one, which makes it, is not counted. */
async function startWindows(lab: Lab, laptop: Machine, rounds: number): Promise<readonly number[]> {
  const starts: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const window = await openWindow(lab, laptop);
    starts.push(window.startedMs);
    await window.close();
  }
  return starts.slice(1);
}

async function makeTrips(
  lab: Lab,
  laptop: Machine,
  rounds: number,
  note: (line: string) => void,
): Promise<readonly Trip[]> {
  const window = await openWindow(lab, laptop);
  const asker = await askHelper(laptop);
  const heard: Heard = { steps: new Map(), refused: () => undefined };
  asker.onEvent((event) => keep(event, heard));
  const trips: Trip[] = [];
  for (let round = 0; round < rounds; round++) trips.push(await makeTrip(window, laptop, asker, heard));
  note(`${rounds} connections`);
  asker.close();
  await window.close();
  return trips;
}

async function makeTrip(window: Window, laptop: Machine, asker: Asker, heard: Heard): Promise<Trip> {
  heard.steps.clear();
  const refused = new Promise<never>((_done, failed) => {
    heard.refused = (why) => failed(new Error(`the helper refused to connect: ${why}`));
  });
  await window.waitFor(`button:has-text("Connect to ${node.city}"):enabled`);
  await window.order({ do: "evaluate", expression: noteClick });
  const prober = laptop.node(join(import.meta.dirname, "first-byte.ts"), [places.web.ipv4, node.address4]);
  try {
    await firstLine(prober, (line) => line === "ready", "the prober");
    const byte = firstLine(prober, (line) => line.startsWith("{"), "a first byte");
    prober.stdin?.write("go\n");
    await window.click("button", `Connect to ${node.city}`);
    const { at } = JSON.parse(await Promise.race([byte, refused])) as { at: number };
    const clicked = Number(await window.order({ do: "evaluate", expression: "window.clickedAt" }));
    await window.waitFor('button:has-text("Disconnect"):enabled');
    const began = performance.now();
    await asker.ask("disconnect", {});
    const undoMs = performance.now() - began;
    const took = (name: Step["name"]): number => {
      const step = heard.steps.get(name);
      if (step?.state !== "done" || step.tookMs === null)
        throw new Error(`the helper did not tell how long ${name} took`);
      return step.tookMs;
    };
    const applyMs = took("gate-closed") + took("routes-laid") + took("read-back") + took("gate-opens");
    return { firstByteMs: at - clicked, nodeMs: took("node-answers"), applyMs, undoMs };
  } finally {
    prober.kill("SIGKILL");
  }
}

/** Unix milliseconds at which the page itself saw the button go down: before anything of ours ran. */
const noteClick = `void addEventListener("click", () => { window.clickedAt = performance.timeOrigin + performance.now() },
  { capture: true, once: true })`;

/** What the helper said of this trip. */
interface Heard {
  readonly steps: Map<string, Step>;
  refused: (why: string) => void;
}

function keep(event: HelperEvent, heard: Heard): void {
  if (event.event !== "status") return;
  const { state } = event.data;
  if (state.kind === "connecting") for (const step of state.steps) heard.steps.set(step.name, step);
  if (state.kind === "failed") heard.refused(JSON.stringify(state.refusal));
}

/** Resident memory while connected, with the window open on its first screen. */
async function readMemory(lab: Lab, laptop: Machine, culvert: Culvert): Promise<Record<string, readonly number[]>> {
  const window = await openWindow(lab, laptop);
  await window.click("button", `Connect to ${node.city}`);
  await window.waitFor('button:has-text("Disconnect"):enabled');
  const engines = await culvert.engines();
  const parts = (await window.order({ do: "memory" })) as readonly { type: string; kilobytes: number }[];
  const ofType = (type: string): readonly number[] =>
    parts.filter((p) => p.type === type).map((p) => p.kilobytes / 1024);
  const memory = {
    helper: [residentMiB(culvert.pid)],
    engine: engines.map(residentMiB),
    main: ofType("Browser"),
    renderer: ofType("Tab"),
  };
  await window.click("button", "Disconnect");
  await window.close();
  return memory;
}

function residentMiB(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? NaN) / 1024;
}
