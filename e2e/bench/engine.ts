// engine: data planes side by side in one run, alternating, over the same cable with the same tools. Every round takes
// every configuration once, so that a slow minute of the machine falls on all of them. README.md lists the rows.
import { measureChain } from "./engine-chain.ts";
import { measureClients } from "./engine-clients.ts";
import { measureCrowd, measurePrefixes } from "./engine-crowd.ts";
import { endPair, type Kind, startPair } from "./engine-ends.ts";
import {
  type Figures,
  firstReply,
  type Ground,
  loaded,
  memory,
  ping,
  reverse,
  rtt,
  tcp1,
  tcp4,
  udp,
  udpFull,
  withServer,
} from "./engine-measure.ts";
import { findPrograms, type Programs } from "./engine-peers.ts";
import { type Family, inside, type Link, openRoad, outside, type Road } from "./engine-road.ts";
import { rowsOf, type Sample } from "./engine-rows.ts";
import type { Row } from "./rows.ts";

interface Config {
  readonly name: string;
  /** Undefined: the bare cable. */
  readonly ends: readonly [Kind, Kind] | undefined;
}

const configs: readonly Config[] = [
  { name: "raw", ends: undefined },
  { name: "wireguard_go", ends: ["wireguard_go", "wireguard_go"] },
  { name: "culvert", ends: ["culvert", "culvert"] },
  { name: "limit", ends: ["limit", "limit"] },
  { name: "limit_plain", ends: ["limit_plain", "limit_plain"] },
  { name: "culvert_wireguard_go", ends: ["culvert", "wireguard_go"] },
  { name: "wireguard_go_culvert", ends: ["wireguard_go", "culvert"] },
];

type Test = (ground: Ground) => Promise<Figures>;
/** In this order; the idle tunnel first, before anything is warm. */
const tests: Readonly<Record<string, Test>> = { rtt, tcp1, tcp4, reverse, udp, udp_full: udpFull, loaded };

interface Setting {
  /** Before every row's name. */
  readonly prefix: string;
  readonly link: Link;
  readonly family: Family;
}

const settings: readonly Setting[] = [
  { prefix: "", link: "whole", family: 4 },
  { prefix: "wire.", link: "wire", family: 4 },
  { prefix: "v6.", link: "whole", family: 6 },
  { prefix: "wire.v6.", link: "wire", family: 6 },
];

/** A stream or flow is measured for so long, after a second that does not count; five rounds of all end within 25 minutes. */
const seconds = 2;

export interface Choice {
  readonly quick: boolean;
  /** Rows by the beginning of their names (`tcp1,wire.tcp1`), empty for all. */
  readonly only: readonly string[];
  /** Configurations by name, empty for all. */
  readonly configs: readonly string[];
}

export async function benchEngine(
  rounds: number,
  note: (line: string) => void,
  choice: Choice,
): Promise<readonly Row[]> {
  const programs = findPrograms();
  const samples: Sample[] = [];
  const roads = { whole: await openRoad("whole"), wire: await openRoad("wire") };
  for (let round = 0; round < rounds; round++) {
    for (const setting of settings) {
      for (const config of configs.filter((one) => runs(one, setting, programs, choice))) {
        const road = roads[setting.link];
        const figures = await measure(road, setting, config, programs, choice);
        const taken = Object.entries(figures).map(([name, value]) => ({
          round,
          name: setting.prefix + name,
          config: config.name,
          value,
        }));
        samples.push(...taken);
        const text = taken.map(({ name, value }) => `${name} ${value.toPrecision(3)}`).join(", ");
        if (taken.length > 0) note(`${round + 1}/${rounds} ${config.name}: ${text}`);
      }
    }
    const timing = { round, seconds };
    const others: Readonly<Record<string, () => Promise<readonly Sample[]>>> = {
      chain2: () => measureChain(roads.whole, programs, 2, timing),
      chain3: () => measureChain(roads.whole, programs, 3, timing),
      clients: () => measureClients(roads.whole, programs, timing),
      crowd: () => measureCrowd(programs, round),
      prefixes: () => measurePrefixes(programs, round),
    };
    for (const [name, take] of Object.entries(others).filter(([name]) => wants(choice, name))) {
      const taken = await take();
      samples.push(...taken);
      const text = taken.map(({ name, config, value }) => `${name}.${config} ${value.toPrecision(3)}`).join(", ");
      note(`${round + 1}/${rounds} ${name}: ${text}`);
    }
  }
  return rowsOf(samples);
}

/** Asked by the name of one of its rows, or when nothing else was asked and there is time. */
const wants = (choice: Choice, name: string): boolean =>
  choice.only.length > 0
    ? choice.only.some((row) => (ofCrowd.includes(firstWord(row)) ? "crowd" : firstWord(row)) === name)
    : choice.configs.length === 0 && !choice.quick;

const firstWord = (row: string): string => row.split(".")[0] ?? row;
/** Rows that the crowd's program measures besides its own. */
const ofCrowd: readonly string[] = ["handshakes", "flood"];

/** Whether a test is asked for, or a row that comes out of it. */
function asks({ only }: Choice, { prefix }: Setting, test: string): boolean {
  return only.some((row) => {
    if (!row.startsWith(prefix)) return false;
    const first = firstWord(row.slice(prefix.length));
    return (first === "cpu_per_gb" || first === "rss" ? "tcp1" : first) === test;
  });
}

function runs(config: Config, setting: Setting, programs: Programs, choice: Choice): boolean {
  const needed = (config.ends ?? []).map((kind) => (kind === "limit_plain" ? "limit" : kind));
  const has = needed.every((kind) => programs[kind] !== undefined);
  // the limit program speaks IPv4 only
  const fits = setting.family === 4 || !needed.includes("limit");
  const wanted =
    choice.configs.length > 0 ? choice.configs.includes(config.name) : !choice.quick || isQuick(config, setting);
  const isAsked = testsOf(setting, config, choice).length > 0 || (config.ends && asks(choice, setting, "first_reply"));
  return has && fits && wanted && isAsked === true;
}

/** What --quick keeps. */
function isQuick(config: Config, setting: Setting): boolean {
  const main = ["wireguard_go", "culvert", "limit"];
  return main.includes(config.name) && setting.prefix !== "wire.v6.";
}

function testsOf(setting: Setting, config: Config, choice: Choice): readonly (readonly [string, Test])[] {
  const quick =
    setting.prefix === "" ? ["rtt", "tcp1", "udp", "loaded"] : setting.prefix === "wire." ? ["tcp1", "udp"] : ["tcp1"];
  const usual = choice.quick ? quick : usualTests(setting, config);
  return Object.entries(tests).filter(([name]) => {
    if (config.ends === undefined && name === "loaded") return false;
    return choice.only.length > 0 ? asks(choice, setting, name) : usual.includes(name);
  });
}

/** What is measured unless something is asked for by name: everything of the two that are held against each other, less
 *  of the others and where the link makes no difference. */
function usualTests({ prefix }: Setting, { name, ends }: Config): readonly string[] {
  if (name === "culvert" || name === "wireguard_go")
    return prefix === ""
      ? Object.keys(tests)
      : prefix === "wire."
        ? ["rtt", "tcp1", "tcp4", "reverse", "udp", "loaded"]
        : ["rtt", "tcp1", "reverse", "udp"];
  if (prefix !== "") return name === "limit" && prefix === "wire." ? ["tcp1", "udp"] : ["tcp1"];
  if (name === "limit_plain") return ["tcp1", "udp"];
  return ends === undefined || name === "limit"
    ? ["rtt", "tcp1", "tcp4", "reverse", "udp", "udp_full"]
    : ["rtt", "tcp1", "reverse", "udp"];
}

async function measure(
  road: Road,
  setting: Setting,
  config: Config,
  programs: Programs,
  choice: Choice,
): Promise<Figures> {
  const { family } = setting;
  if (config.ends === undefined) {
    const ground: Ground = { road, family, pair: undefined, to: outside("b", family), seconds };
    return withServer(road, () => runTests(ground, testsOf(setting, config, choice)));
  }
  const figures: Record<string, number> = {};
  const pair = await startPair(road, family, programs, config.ends);
  try {
    const ground: Ground = { road, family, pair, to: inside("b", family), seconds };
    const first = await firstReply(ground);
    if (
      (choice.only.length === 0 || asks(choice, setting, "first_reply")) &&
      !config.ends.includes("limit") &&
      !config.ends.includes("limit_plain")
    )
      Object.assign(figures, first);
    await ping(road.machines.a, ground.to, 0.01, 20);
    const chosen = testsOf(setting, config, choice);
    if (chosen.length === 0) return figures;
    Object.assign(figures, await withServer(road, () => runTests(ground, chosen)));
    Object.assign(figures, memory(ground));
  } finally {
    await endPair(pair);
  }
  return figures;
}

async function runTests(ground: Ground, chosen: readonly (readonly [string, Test])[]): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const [, test] of chosen) Object.assign(figures, await test(ground));
  return figures;
}
