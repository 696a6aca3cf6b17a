// Child processes that talk in lines: wires and services say when they are there, and afterwards what they saw.
import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

/** Resolves with the first line that `wanted` accepts; rejects when the process ends before, or after thirty seconds, long enough for two busy cores. */
export function firstLine(child: ChildProcess, wanted: (line: string) => boolean, what: string): Promise<string> {
  return new Promise((done, failed) => {
    const { stdout } = child;
    if (stdout === null) throw new Error(`${what}: no standard output`);
    const lines = createInterface({ input: stdout });
    const timer = setTimeout(() => failed(new Error(`${what}: not ready in 30 s`)), 30_000);
    child.once("error", failed);
    child.once("exit", (code, signal) => failed(new Error(`${what}: ended (${code ?? signal}) before it was ready`)));
    lines.on("line", (line) => {
      if (!wanted(line)) return;
      clearTimeout(timer);
      done(line);
    });
  });
}

export function eachLine(child: ChildProcess, take: (line: string) => void): void {
  if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", take);
}

/** Waits until `probe` gives something other than undefined; throws when it has not by the deadline. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  timeoutMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((next) => setTimeout(next, 10));
  }
}
