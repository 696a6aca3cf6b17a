// Which node was up, on disk while it is: a helper that starts after a crash finds it and locks first, then reconnects. In the
// run directory, which a reboot empties together with the kernel's routes and tables. It also holds the endpoint's addresses,
// because behind the closed gate no name can be asked for. A second file of the same form, in the state directory, outlives the
// reboot: with the kill switch "from boot on" its node is the one to lock for.
import { z } from "zod";

import { addressSchema } from "../contract/prefix.ts";
import { readJsonFile, removeFile, writeJsonFile } from "../nodes/file.ts";

const wantedSchema = z.strictObject({
  node: z.string().length(44),
  name: z.string().max(120),
  endpoint: z.string().max(300),
  address: addressSchema,
});
export type Wanted = z.infer<typeof wantedSchema>;

export interface WantedFile {
  read(): Wanted | undefined;
  write(wanted: Wanted): void;
  clear(): void;
}

export function wantedFile(path: string): WantedFile {
  return {
    read: () => readJsonFile(path, wantedSchema),
    write: (wanted) => {
      writeJsonFile(path, wanted);
    },
    clear: () => {
      removeFile(path);
    },
  };
}
