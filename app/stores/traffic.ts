// The last two minutes of traffic, a sample a second. Forgotten when a new state begins, because its counters begin anew.
import { create } from "zustand";

import type { Traffic } from "../../helper/contract/status.ts";

export const keptSamples = 120;

export interface TrafficStore {
  /** Oldest first; the last one is now. */
  readonly samples: readonly Traffic[];
  readonly take: (sample: Traffic) => void;
  readonly forget: () => void;
}

export const useTraffic = create<TrafficStore>((set, get) => ({
  samples: [],
  take: (sample) => {
    set({ samples: [...get().samples, sample].slice(-keptSamples) });
  },
  forget: () => {
    if (get().samples.length > 0) set({ samples: [] });
  },
}));

export const latest = (store: TrafficStore): Traffic | null => store.samples.at(-1) ?? null;
