// What the daemon keeps of memory. It works in bursts, a proof or a connection of some milliseconds, and then stands for
// hours: what a burst leaves behind is given back. Two keep it, V8's heap and malloc's.
import { setFlagsFromString } from "node:v8";

import type { Native } from "./kernel/native.ts";

export interface Memory {
  /** Something was done. */
  poke(): void;
  close(): void;
}

/** Long enough for no burst to be disturbed by it; it takes 2 ms. */
const calmMs = 2000;

export function keepLittle(native: Pick<Native, "memoryKeepLittle" | "memoryTrim">): Memory {
  // A proof makes much short-lived garbage, for which V8 would keep 16 MB more than anything else here needs; and, left to
  // itself, lets the old part grow to twice what lives before it looks. Tried on four proofs in a row: 96 MiB without the
  // second flag, 81 MiB with it, and as fast. To have it collect when it is calm gives nothing besides, and takes 77 ms.
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--optimize-for-size");
  native.memoryKeepLittle();
  let timer: NodeJS.Timeout | undefined;
  return {
    poke() {
      clearTimeout(timer);
      timer = setTimeout(native.memoryTrim, calmMs);
      timer.unref();
    },
    close() {
      clearTimeout(timer);
    },
  };
}
