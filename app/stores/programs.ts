// What main found on this machine for the picker: programs and accounts. Asked when Lanes is opened, and anew when the
// picker is, for programs come and go.
import { create } from "zustand";

import type { Bridge } from "../../preload/bridge.ts";
import { nothingKnown, type Known } from "../view/programs.ts";

export interface ProgramsStore {
  readonly known: Known;
  /** Whether main has answered. */
  readonly asked: boolean;
  readonly read: (bridge: Bridge) => Promise<void>;
}

export const usePrograms = create<ProgramsStore>((set) => ({
  known: nothingKnown,
  asked: false,
  read: async (bridge) => {
    const [programs, accounts] = await Promise.all([bridge.apps(), bridge.accounts()]);
    set({ known: { programs, accounts }, asked: true });
  },
}));
