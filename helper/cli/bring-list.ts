// A file of prefixes → a list that the helper keeps. The file is opened and read here, with the rights of whoever asks; only
// its text crosses the socket, in pieces, each answered before the next is read, so neither end ever holds the whole file.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";

import { type ListBad, type ListBrought, pieceBytes } from "../contract/list.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import type { Context } from "./verb.ts";

export type BroughtList = { readonly done: ListBrought } | { readonly bad: ListBad };

/** `-` is standard input. `progress`: lines so far, and the share of the file, null where its size is not known. */
export async function bringList(
  { client }: Pick<Context, "client">,
  path: string,
  progress: (lines: number, share: number | null) => void,
): Promise<Answer<BroughtList>> {
  let fd: number;
  try {
    fd = path === "-" ? 0 : openSync(path, "r");
  } catch {
    return refuse("conf.not-text", { line: 0, text: path });
  }
  try {
    const begun = await client.request("listBegin", {});
    if (!begun.ok) return begun;
    const { upload } = begun.value;
    const size = fstatSync(fd).size;
    const decoder = new StringDecoder("utf8");
    const buffer = Buffer.alloc(pieceBytes / 2);
    let bytes = 0;
    for (let got = readSome(fd, buffer); got > 0; got = readSome(fd, buffer)) {
      bytes += got;
      const added = await client.request("listAdd", { upload, text: decoder.write(buffer.subarray(0, got)) });
      if (!added.ok) return added;
      progress(added.value.lines, size > 0 ? Math.min(1, bytes / size) : null);
    }
    const ended = await client.request("listEnd", { upload });
    return ended.ok ? grant(ended.value) : ended;
  } catch {
    return refuse("conf.not-text", { line: 0, text: path });
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}

function readSome(fd: number, into: Buffer): number {
  try {
    return readSync(fd, into, 0, into.length, null);
  } catch (error) {
    // a pipe that is closed reads so at its end
    if (error instanceof Error && "code" in error && error.code === "EOF") return 0;
    throw error;
  }
}
