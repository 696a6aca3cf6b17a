// What was taken away on the user's word, noted on disk before it goes: one line of JSON each time, with the commands that
// would bring it back, and a resolv.conf as it was. Kept for a person who wants it again; nothing reads it by itself.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";

import { printRemoval, printReturn, type Removal } from "../plan/removal.ts";
import { bootId } from "./journal.ts";

export interface Removed {
  readonly at: number;
  readonly boot: string;
  readonly removed: readonly { readonly command: string; readonly back: string | null; readonly before?: string }[];
}

export function noteRemoved(path: string, things: readonly Removal[]): void {
  const removed = things.map((thing) => ({
    command: printRemoval(thing),
    back: printReturn(thing),
    ...(thing.kind === "names.drop" && existsSync(thing.path) && { before: readFileSync(thing.path, "utf8") }),
  }));
  const line: Removed = { at: Date.now(), boot: bootId(), removed };
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const fd = openSync(path, "a", 0o600);
  try {
    writeSync(fd, `${JSON.stringify(line)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
