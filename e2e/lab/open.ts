// npm run lab: opens the lab and keeps it until Ctrl-C. At its prompt the name of a machine opens a shell there and a
// name with a command runs it; from another terminal `npm run lab -- shell NAME` enters. Leaves nothing behind.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";

import { enter, inside } from "./enter.ts";
import { internet } from "./internet.ts";
import { confOf } from "./keys.ts";
import { type Lab, openLab } from "./lab.ts";
import { machineOf } from "./machine.ts";

const shell = process.env["SHELL"] ?? "sh";
const [verb, ...rest] = process.argv.slice(2);

if (verb === "shell") process.exit(await enterFromOutside(rest));
if (!inside()) process.exit(await enter([process.execPath, ...process.argv.slice(1)]));
await keepOpen();

async function keepOpen(): Promise<void> {
  const began = performance.now();
  const lab = await openLab(internet());
  console.log(`The lab is open (${Math.round(performance.now() - began)} ms).\n${describe(lab)}`);
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "lab> " });
  const ended = new Promise<void>((done) => {
    lines.once("close", done);
    process.once("SIGINT", done);
  });
  lines.on("line", (line) => {
    lines.pause();
    runLine(lab, line.trim());
    lines.resume();
    lines.prompt();
  });
  lines.prompt();
  await ended;
  await lab.close();
  console.log("\nThe lab is gone.");
  process.exit(0);
}

function runLine(lab: Lab, line: string): void {
  const [name = "", ...command] = line.split(/\s+/);
  if (name === "") return;
  if (name === "conf") {
    const node = lab.topology.nodes.find((n) => n.machine === command[0]);
    console.log(node === undefined ? `no node ${command[0] ?? ""}` : confOf(node));
    return;
  }
  if (!lab.topology.machines.some((m) => m.name === name)) {
    console.log(describe(lab));
    return;
  }
  const argv = command.length === 0 ? [shell] : ["sh", "-c", command.join(" ")];
  const [first, ...args] = [...lab.machine(name).prefix, ...argv] as [string, ...string[]];
  spawnSync(first, args, { stdio: "inherit", env: { ...process.env, PS1: `${name}# `, CULVERT_MACHINE: name } });
}

function describe(lab: Lab): string {
  const names = lab.topology.machines.map((m) => m.name);
  const widest = Math.max(...names.map((n) => n.length));
  const note = (name: string): string => {
    const node = lab.topology.nodes.find((n) => n.machine === name);
    return node === undefined ? "" : `  ${node.city} ${node.country}, ${node.address4}, ${node.roundTripMs} ms`;
  };
  return [
    "NAME                a shell on that machine",
    "NAME COMMAND …      runs a command there",
    "conf NODE           a WireGuard configuration file for the laptop",
    "From another terminal: npm run lab -- shell NAME. Ctrl-C ends the lab.",
    ...names.map((name) => `  ${name.padEnd(widest)}${note(name)}`),
  ].join("\n");
}

/** Finds the machine by the name that its processes carry: nothing has to be written down anywhere. */
async function enterFromOutside(words: readonly string[]): Promise<number> {
  const [name = "", ...command] = words;
  const holders = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isHolder(pid, name));
  const [pid, another] = holders;
  if (pid === undefined) {
    console.error(`No open lab has a machine "${name}". Open one with: npm run lab`);
    return 1;
  }
  if (another !== undefined) console.error(`Several labs are open; this is the one of process ${pid}.`);
  const user = process.getuid?.() === 0 ? [] : ["-U", "--preserve-credentials"];
  // the machine's own words, and its processes as well, which a machine inside the lab already sees
  const prefix = machineOf(name, Number(pid)).prefix.slice(1);
  const argv = [...user, "-p", ...prefix, ...(command.length === 0 ? [shell] : command)];
  const child = spawn("nsenter", argv, { stdio: "inherit" });
  return new Promise((done) => child.once("exit", (code) => done(code ?? 130)));
}

function isHolder(pid: string, name: string): boolean {
  try {
    if (readFileSync(`/proc/${pid}/comm`, "utf8") !== "sleep\n") return false;
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(`CULVERT_MACHINE=${name}`);
  } catch {
    return false;
  }
}
