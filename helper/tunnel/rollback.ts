// "Keep my way in": a policy that goes back by itself unless somebody confirms it, because who would confirm may have been
// locked out by it. The policy of before lies on disk: a helper that starts anew puts it back at once, for nobody confirmed.
import { z } from "zod";

import { type Policy, policySchema } from "../contract/policy.ts";
import { readJsonFile, removeFile, writeJsonFile } from "../nodes/file.ts";

const rollbackSchema = z.strictObject({ until: z.int(), before: policySchema });
export type Rollback = z.infer<typeof rollbackSchema>;

export interface RollbackFile {
  read(): Rollback | undefined;
  write(rollback: Rollback): void;
  clear(): void;
}

export function rollbackFile(path: string): RollbackFile {
  return {
    read: () => readJsonFile(path, rollbackSchema),
    write: (rollback) => {
      writeJsonFile(path, rollback);
    },
    clear: () => {
      removeFile(path);
    },
  };
}

export interface Pending {
  readonly until: () => number | null;
  /** Before the new policy is saved. */
  begin(before: Policy, seconds: number): void;
  /** The new policy stays; false: nothing was pending. */
  keep(): boolean;
  /** Whether an earlier life left one: its policy, which is to be put back now. */
  left(): Policy | undefined;
  close(): void;
}

export function pendingPolicy(
  deps: { readonly rollback: RollbackFile; readonly now: () => number },
  back: (before: Policy) => void,
): Pending {
  let timer: NodeJS.Timeout | undefined;
  let pending: Rollback | null = null;
  const end = (): void => {
    clearTimeout(timer);
    pending = null;
    deps.rollback.clear();
  };
  return {
    until: () => pending?.until ?? null,
    begin(saved, seconds) {
      // tried one after the other: it goes back to what was confirmed last
      const before = pending?.before ?? saved;
      clearTimeout(timer);
      pending = { until: deps.now() + seconds * 1000, before };
      deps.rollback.write(pending);
      timer = setTimeout(() => {
        end();
        back(before);
      }, seconds * 1000);
    },
    keep() {
      const was = pending !== null;
      end();
      return was;
    },
    left() {
      const before = deps.rollback.read()?.before;
      deps.rollback.clear();
      return before;
    },
    close() {
      clearTimeout(timer);
    },
  };
}
