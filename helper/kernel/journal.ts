// What is about to change, on disk before it changes, so that a later life can put it back: old values of sysctls, and
// the resolver's old state. Links, routes, rules and tables need no entry: they are ours by their names and numbers.
//
// Written whole, to a new file that is flushed and renamed over the old one: whenever the machine or we die, there is
// the old journal or the new one, and both are true, because nothing is changed before the new one is on disk.
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { z } from "zod";

import { KernelError } from "./kernel.ts";

/** `ours`: everything we wrote since, the newest last. Only as long as one of them stands there is it ours to put back. */
const sysctl = z.strictObject({ key: z.string(), before: z.string(), ours: z.array(z.string()) });
const resolver = z.discriminatedUnion("by", [
  z.strictObject({
    by: z.literal("file"),
    /** The file behind the path, all links followed: that is what was changed. */
    path: z.string(),
    /** base64; null: there was no file. */
    before: z.string().nullable(),
    mode: z.int(),
    ours: z.array(z.string()),
  }),
  z.strictObject({ by: z.literal("resolved"), link: z.string(), servers: z.array(z.string()) }),
  z.strictObject({ by: z.literal("resolvconf"), link: z.string(), servers: z.array(z.string()) }),
]);
const journalSchema = z.strictObject({
  version: z.literal(1),
  /** Sysctls of another boot are the machine's own again. */
  boot: z.string(),
  sysctls: z.array(sysctl),
  resolver: resolver.nullable(),
});

export type Journal = z.infer<typeof journalSchema>;
export type ResolverEntry = z.infer<typeof resolver>;
export type SysctlEntry = z.infer<typeof sysctl>;

export interface JournalFile {
  /** null: nothing of ours stands. */
  readonly now: Journal | null;
  /** On disk when it returns; costs nothing when it is what stands there. */
  write(journal: Journal): void;
  remove(): void;
}

export function openJournal(path: string): JournalFile {
  let now = readJournal(path);
  return {
    get now() {
      return now;
    },
    write(journal) {
      if (now !== null && JSON.stringify(now) === JSON.stringify(journal)) return;
      writeDurably(path, JSON.stringify(journal), 0o600);
      now = journal;
    },
    remove() {
      if (now === null) return;
      rmSync(path, { force: true });
      flushFolder(dirname(path));
      now = null;
    },
  };
}

/** The file is the old or the new one at any instant, and the new one for good when this returns. */
export function writeDurably(path: string, content: string | Buffer, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const beside = join(dirname(path), `.${path.slice(path.lastIndexOf("/") + 1)}.culvert`);
  rmSync(beside, { force: true });
  const fd = openSync(beside, "wx", mode);
  try {
    // what openSync gives is cut by the umask, and the unit's leaves others nothing of resolv.conf
    fchmodSync(fd, mode);
    writeSync(fd, typeof content === "string" ? Buffer.from(content) : content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  flushFolder(dirname(path));
}

export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/**
 * A journal that is none can only be a damaged disk. It is put aside for a person to look at: what is ours by name and
 * number can be undone without it, and to refuse to start would leave the machine locked for good.
 */
function readJournal(path: string): Journal | null {
  let text;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new KernelError("reading the journal", path, (error as NodeJS.ErrnoException).code ?? "EIO", error);
  }
  try {
    return journalSchema.parse(JSON.parse(text));
  } catch {
    renameSync(path, `${path}.broken`);
    return null;
  }
}

function flushFolder(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
