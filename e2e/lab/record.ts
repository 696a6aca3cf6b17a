// Reads a wire's record while the wire writes it: where each frame begins is remembered, frames are parsed when asked for.
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";

import { type Frame, parseFrame } from "./frame.ts";

const fileHeader = 24;
const frameHeader = 16;
const chunkBytes = 1 << 20;

export interface RecordReader {
  /** Frames with since ≤ at < until (Unix milliseconds), oldest first. */
  frames(since: number, until: number): Generator<Frame>;
}

export function readRecord(path: string): RecordReader {
  const times: number[] = [];
  const offsets: number[] = [];
  let known = fileHeader;

  const catchUp = (fd: number): void => {
    const { size } = fstatSync(fd);
    const chunk = Buffer.allocUnsafe(chunkBytes);
    while (known + frameHeader <= size) {
      const got = readSync(fd, chunk, 0, chunkBytes, known);
      let at = 0;
      while (at + frameHeader <= got) {
        const next = at + frameHeader + chunk.readUInt32LE(at + 8);
        if (known + next > size) return void (known += at);
        times.push(chunk.readUInt32LE(at) * 1000 + chunk.readUInt32LE(at + 4) / 1e6);
        offsets.push(known + at);
        at = next;
      }
      known += at;
      if (at === 0) return;
    }
  };

  function* frames(since: number, until: number): Generator<Frame> {
    // a port that was never plugged in has sent nothing
    if (!existsSync(path)) return;
    const fd = openSync(path, "r");
    try {
      catchUp(fd);
      const last = firstFrom(times, until);
      for (let index = firstFrom(times, since); index < last; index += 1) {
        const offset = offsets[index] ?? 0;
        const head = Buffer.allocUnsafe(frameHeader + 256);
        const got = readSync(fd, head, 0, head.length, offset);
        const kept = head.readUInt32LE(8);
        yield parseFrame(
          times[index] ?? 0,
          head.readUInt32LE(12),
          head.subarray(frameHeader, Math.min(got, frameHeader + kept)),
        );
      }
    } finally {
      closeSync(fd);
    }
  }
  return { frames };
}

/** Index of the first time not before `wanted`. */
function firstFrom(times: readonly number[], wanted: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
