// What every script shares: where the project is, how a step shows itself, how a program is run. Runs on any Node from
// 18 on, because set-up comes here before Node 24 is there.
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const cache = join(root, "node_modules", ".cache", "culvert");
export const logs = join(root, "test-results");

/** Something a person can mend: the message names it and the command that does. Shown without a stack. */
export class Problem extends Error {}

// with --json, standard output belongs to the one JSON value
const progress = process.argv.includes("--json") ? process.stderr : process.stdout;
export function say(line) {
  progress.write(`${line}\n`);
}

/** Runs one step and prints its one line. `work` gives back the detail; undefined means there was nothing to do. */
export async function step(name, work) {
  const began = Date.now();
  try {
    const detail = await work();
    say(`${seconds(Date.now() - began)}  ${name}${detail === undefined ? "" : `: ${detail}`}`);
  } catch (error) {
    say(`${seconds(Date.now() - began)}  ${name}: FAILED`);
    throw error;
  }
}

export function seconds(ms) {
  return `${(ms / 1000).toFixed(1).padStart(6)} s`;
}

/**
 * Runs a program to its end. Output goes to `log` (a name under test-results) or, without one, to this terminal; `output`
 * is all it said when it went to a log. `input` is its standard input. Past `timeoutMs` it is ended with all it started.
 */
export function run(command, args, { log, cwd = root, env = {}, timeoutMs = 0 } = {}) {
  let file;
  if (log !== undefined) {
    mkdirSync(logs, { recursive: true });
    file = openSync(join(logs, `${log}.log`), "w");
    writeSync(file, `$ ${command} ${args.join(" ")}\n`);
  }
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      // only a program that talks to this terminal may also listen to it
      stdio: file === undefined ? "inherit" : ["ignore", file, file],
      // a group of its own, so that what it started can be ended with it; a terminal's own Ctrl-C must still reach it
      detached: timeoutMs > 0,
    });
    const end = () => kill(child.pid);
    const timer = timeoutMs > 0 ? setTimeout(end, timeoutMs) : undefined;
    if (timeoutMs > 0) for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, end);
    const finish = (settle) => {
      clearTimeout(timer);
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeListener(signal, end);
      if (file !== undefined) closeSync(file);
      settle();
    };
    child.on("error", (error) => finish(() => reject(error)));
    child.on("close", (code, signal) =>
      finish(() =>
        resolve({
          code: code ?? 128,
          signal,
          output: log === undefined ? "" : readFileSync(join(logs, `${log}.log`), "utf8"),
        }),
      ),
    );
  });
}

/** Like `run`, but a program that fails is a Problem with the end of what it said. */
export async function must(command, args, options = {}) {
  const done = await run(command, args, options);
  if (done.code === 0) return done;
  const said = done.output.trimEnd().split("\n").slice(-25).join("\n");
  const where = options.log === undefined ? "" : `\nAll of it: test-results/${options.log}.log`;
  throw new Problem(`${command} ${args.join(" ")} ended with ${done.signal ?? done.code}.\n${said}${where}`);
}

/** Absolute path of a program, also of those that only root has on its path; undefined when it is not there. */
export function which(name) {
  const places = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  if (process.env.HOME !== undefined) places.push(join(process.env.HOME, ".cargo", "bin"));
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}

export const isRoot = process.getuid?.() === 0;

function kill(pid) {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // it has ended by itself
  }
}
