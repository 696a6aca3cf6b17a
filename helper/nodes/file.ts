// A JSON file that is replaced whole: written beside, flushed, renamed. After a crash there is the old one or the new one.
// Mode 0600 from the first byte on: private keys pass through here.
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

import type { z } from "zod";

/** undefined: there is none. A file that does not parse throws: going on without it would forget what the user said. */
export function readJsonFile<S extends z.ZodType>(path: string, schema: S): z.infer<S> | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`${path} is no JSON`);
  }
  const parsed = schema.safeParse(value);
  // the place, never the value: it may be a key
  if (!parsed.success) throw new Error(`${path} is broken at ${parsed.error.issues[0]?.path.join(".") ?? "its top"}`);
  return parsed.data;
}

export function writeJsonFile(path: string, value: unknown): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.new`;
  rmSync(beside, { force: true });
  const fd = openSync(beside, "wx", 0o600);
  try {
    writeSync(fd, `${JSON.stringify(value, null, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(beside, path);
}

export function removeFile(path: string): void {
  rmSync(path, { force: true });
}
