// Prefix lists on disk, one file each, named by what it holds; and those that are just being brought. A list that no rule
// names goes when the helper starts, or an hour after it came. Nothing here opens a path that a caller named: the text
// itself comes over the socket.
import { createHash, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type ListBad, type ListBrought, mostListBytes } from "../contract/list.ts";
import type { Policy } from "../contract/policy.ts";
import type { Prefix } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { type ListReader, listReader } from "../policy/prefix-list.ts";

export type Brought = { readonly done: ListBrought } | { readonly bad: ListBad };

export interface Lists {
  /** Those that this policy's rules name; the same array for the same list. A list that is not there is none. */
  of(policy: Policy): Readonly<Record<string, readonly Prefix[]>>;
  /** The first list a policy names that is not there. */
  missing(policy: Policy): string | undefined;
  size(id: string): number;
  begin(): Answer<{ upload: number }>;
  add(upload: number, text: string): Answer<{ lines: number; read: number }>;
  /** Sorts it in pieces, between which others are answered. */
  end(upload: number): Promise<Answer<Brought>>;
  /** Forgets those that neither policy names. */
  sweep(kept: readonly Policy[]): void;
}

/** Each may hold a million prefixes in memory. */
const mostUploads = 2;
/** Somebody who brings a list and hangs up holds no place for longer. */
const idleMs = 60_000;
const youngMs = 3_600_000;

interface Upload {
  readonly reader: ListReader;
  bytes: number;
  at: number;
}

export function openLists(stateDir: string, now: () => number): Lists {
  const folder = join(stateDir, "lists");
  const uploads = new Map<number, Upload>();
  /** Being sorted. */
  let ending = 0;
  const loaded = new Map<string, readonly Prefix[]>();
  const pathOf = (id: string): string => join(folder, `${id}.txt`);

  const load = (id: string): readonly Prefix[] | undefined => {
    const known = loaded.get(id);
    if (known !== undefined) return known;
    if (!existsSync(pathOf(id))) return undefined;
    const text = readFileSync(pathOf(id), "latin1");
    // a disk that lies would change what a rule means
    if (idOf(text) !== id) return undefined;
    const prefixes = text.split("\n").filter((line) => line !== "") as Prefix[];
    loaded.set(id, prefixes);
    return prefixes;
  };

  const keep = (prefixes: readonly Prefix[]): string => {
    const text = `${prefixes.join("\n")}\n`;
    const id = idOf(text);
    if (!existsSync(pathOf(id))) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      writeFileSync(`${pathOf(id)}.new`, text, { mode: 0o600, flush: true });
      renameSync(`${pathOf(id)}.new`, pathOf(id));
    }
    loaded.set(id, prefixes);
    return id;
  };

  const reap = (): void => {
    for (const [id, upload] of uploads) if (now() - upload.at > idleMs) uploads.delete(id);
  };

  return {
    of: (policy) =>
      Object.fromEntries(
        namesOf(policy).flatMap((id) => {
          const prefixes = load(id);
          return prefixes === undefined ? [] : [[id, prefixes]];
        }),
      ),
    missing: (policy) => namesOf(policy).find((id) => load(id) === undefined),
    size: (id) => load(id)?.length ?? 0,
    begin() {
      reap();
      if (uploads.size + ending >= mostUploads) return refuse("call.busy");
      const upload = randomInt(2 ** 47);
      uploads.set(upload, { reader: listReader(), bytes: 0, at: now() });
      return grant({ upload });
    },
    add(id, text) {
      reap();
      const upload = uploads.get(id);
      if (upload === undefined) return refuse("call.not-now");
      upload.bytes += text.length;
      upload.at = now();
      if (upload.bytes > mostListBytes) {
        uploads.delete(id);
        return refuse("call.too-big");
      }
      upload.reader.push(text);
      return grant({ lines: upload.reader.lines, read: upload.reader.read });
    },
    async end(id) {
      const upload = uploads.get(id);
      if (upload === undefined) return refuse("call.not-now");
      uploads.delete(id);
      ending += 1;
      try {
        const { lines, read, set, bad, badLines, tooMany } = await inPieces(upload.reader.end());
        if (badLines > 0 || tooMany || read === 0) return grant({ bad: { lines, badLines, bad: [...bad], tooMany } });
        const prefixes = set[6].length === 0 ? set[4] : [...set[4], ...set[6]];
        await pause();
        return grant({ done: { id: keep(prefixes), lines, read, prefixes: prefixes.length } });
      } finally {
        ending -= 1;
      }
    },
    sweep(kept) {
      const named = new Set(kept.flatMap(namesOf));
      if (!existsSync(folder)) return;
      for (const name of readdirSync(folder)) {
        const id = name.replace(/\.txt(\.new)?$/, "");
        const path = join(folder, name);
        if (named.has(id) || now() - statSync(path).mtimeMs < youngMs) continue;
        rmSync(path, { force: true });
        loaded.delete(id);
      }
    },
  };
}

/** The loop turns between pieces: who asks meanwhile waits for one of them. */
async function inPieces<T>(work: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
    await pause();
  }
}

const pause = (): Promise<void> =>
  new Promise((next) => {
    setImmediate(next);
  });

function namesOf(policy: Policy): readonly string[] {
  return [...new Set(policy.rules.flatMap((rule) => rule.match.lists ?? []))];
}

function idOf(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}
