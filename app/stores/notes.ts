// Notes that the person has put away, until the state they speak of is over.
import { create } from "zustand";

import type { Answer } from "../../helper/contract/refusal.ts";
import type { Result } from "../../helper/contract/message.ts";
import type { Bridge } from "../../preload/bridge.ts";

export interface NotesStore {
  readonly away: ReadonlySet<string>;
  /** The finding that is being put right, so that its button is not pressed twice. */
  readonly repairing: string | null;
  readonly putAway: (id: string) => void;
  readonly repair: (bridge: Bridge, finding: string) => Promise<Answer<Result<"repair">>>;
  readonly forget: () => void;
}

export const useNotes = create<NotesStore>((set, get) => ({
  away: new Set(),
  repairing: null,
  putAway: (id) => {
    set({ away: new Set([...get().away, id]) });
  },
  repair: async (bridge, finding) => {
    set({ repairing: finding });
    const answer = await bridge.helper("repair", { id: finding });
    set({ repairing: null });
    return answer;
  },
  forget: () => {
    if (get().away.size > 0) set({ away: new Set() });
  },
}));
