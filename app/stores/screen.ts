// Which screen is shown, and the one passing notice over it.
import { create } from "zustand";

import type { Refusal } from "../../helper/contract/refusal.ts";
import type { Say } from "../view/say.ts";
import { sayRefusal } from "../view/refusal.ts";
import { useNodes } from "./nodes.ts";

/** In the order of the rail; Ctrl+1…5. */
export const screens = ["connect", "nodes", "lanes", "leaks", "settings"] as const;
export type ScreenName = (typeof screens)[number];

export interface ScreenStore {
  readonly screen: ScreenName;
  readonly notice: { readonly say: Say; readonly bad: boolean } | null;
  /** The dialog that adds a node is open. */
  readonly adding: boolean;
  readonly show: (screen: ScreenName) => void;
  readonly tell: (say: Say, bad?: boolean) => void;
  readonly tellRefusal: (refusal: Refusal | null) => void;
  readonly dismiss: () => void;
  readonly setAdding: (adding: boolean) => void;
}

export const useScreen = create<ScreenStore>((set) => ({
  screen: "connect",
  notice: null,
  adding: false,
  show: (screen) => {
    set({ screen });
  },
  tell: (say, bad = false) => {
    set({ notice: { say, bad } });
  },
  tellRefusal: (refusal) => {
    if (refusal !== null)
      set({ notice: { say: sayRefusal(refusal, { nodes: useNodes.getState().nodes ?? [] }), bad: true } });
  },
  dismiss: () => {
    set({ notice: null });
  },
  setAdding: (adding) => {
    set({ adding });
  },
}));
