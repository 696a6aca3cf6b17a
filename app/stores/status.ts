// What is true now, as the helper says it, and the few wishes that change it. A status is kept only while the link to
// the helper stands: a window that cannot hear the helper must not go on showing what it said last.
import { create } from "zustand";

import type { Answer, Refusal } from "../../helper/contract/refusal.ts";
import type { Status } from "../../helper/contract/status.ts";
import type { Bridge, HelperLink } from "../../preload/bridge.ts";

export interface StatusStore {
  /** null until main has answered for the first time. */
  readonly link: HelperLink | null;
  readonly status: Status | null;
  /** Whether the helper was linked in this window's life and is not any more. */
  readonly lost: boolean;
  /** The wish under way, so that its button is not pressed twice. */
  readonly wish: "connect" | "disconnect" | "reset" | null;
  readonly setLink: (link: HelperLink) => void;
  readonly setStatus: (status: Status) => void;
  readonly connect: (bridge: Bridge, node: string) => Promise<Refusal | null>;
  readonly disconnect: (bridge: Bridge) => Promise<Refusal | null>;
  readonly reset: (bridge: Bridge) => Promise<Answer<{ undone: string[] }>>;
}

export const useStatus = create<StatusStore>((set, get) => {
  const during = async <T>(wish: StatusStore["wish"], work: () => Promise<T>): Promise<T> => {
    set({ wish });
    try {
      return await work();
    } finally {
      // a later wish may have taken this one's place (cancelling while connecting)
      if (get().wish === wish) set({ wish: null });
    }
  };
  return {
    link: null,
    status: null,
    lost: false,
    wish: null,
    setLink: (link) => {
      const wasLinked = get().link?.kind === "linked" || get().lost;
      if (link.kind === "linked") set({ link, lost: false });
      else set({ link, status: null, lost: wasLinked, wish: null });
    },
    setStatus: (status) => {
      const held = get().status;
      // events and answers race on their way; a helper that started anew counts from the beginning and is later
      const older = held !== null && status.seq < held.seq && status.helper.at <= held.helper.at;
      if (!older) set({ status });
    },
    connect: (bridge, node) =>
      during("connect", async () => keep(await bridge.helper("connect", { node }), get().setStatus)),
    disconnect: (bridge) =>
      during("disconnect", async () => keep(await bridge.helper("disconnect", {}), get().setStatus)),
    reset: (bridge) => during("reset", () => bridge.helper("reset", {})),
  };
});

function keep(answer: Answer<Status>, setStatus: (status: Status) => void): Refusal | null {
  if (!answer.ok) return answer.refusal;
  setStatus(answer.value);
  return null;
}
