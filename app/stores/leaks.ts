// The leak checks' last results. Nothing is kept over a change of state: a check of another state says nothing of now.
import { create } from "zustand";

import type { Refusal } from "../../helper/contract/refusal.ts";
import type { LeakCheck } from "../../helper/contract/status.ts";
import type { Bridge } from "../../preload/bridge.ts";

export interface LeaksStore {
  readonly checks: readonly LeakCheck[] | null;
  readonly running: boolean;
  readonly refusal: Refusal | null;
  readonly check: (bridge: Bridge) => Promise<void>;
  readonly forget: () => void;
}

export const useLeaks = create<LeaksStore>((set, get) => {
  let round = 0;
  return {
    checks: null,
    running: false,
    refusal: null,
    check: async (bridge) => {
      if (get().running) return;
      const mine = ++round;
      set({ running: true, refusal: null });
      const answer = await bridge.helper("leaks", {});
      if (mine !== round) return;
      if (answer.ok) set({ running: false, checks: answer.value });
      else set({ running: false, refusal: answer.refusal });
    },
    forget: () => {
      round++;
      set({ checks: null, running: false, refusal: null });
    },
  };
});
