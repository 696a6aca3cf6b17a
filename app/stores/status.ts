// What is true now, as the helper says it, and the few wishes that change it. A status is kept only while the link to
// the helper stands: a window that cannot hear the helper must not go on showing what it said last.
import { create } from "zustand";

import type { Answer, Refusal } from "../../helper/contract/refusal.ts";
import type { Status } from "../../helper/contract/status.ts";
import type { Bridge, HelperLink } from "../../preload/bridge.ts";

export interface WayIn {
  readonly node: string;
  readonly data: Refusal["data"];
}

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
  /** A connection from afar that connecting would end, and the node: the person is asked before anything changes. */
  readonly wayIn: WayIn | null;
  readonly setWayIn: (wayIn: WayIn | null) => void;
  /** null also where the person is asked first (`wayIn`). */
  readonly connect: (bridge: Bridge, node: string) => Promise<Refusal | null>;
  /** Goes on with the node of `wayIn`: with a welcome for whoever works here from afar, or without. */
  readonly goOn: (bridge: Bridge, keep: boolean) => Promise<Refusal | null>;
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
  const connect = async (bridge: Bridge, node: string, anyway: boolean): Promise<Refusal | null> => {
    const answer = await bridge.helper("connect", { node, ...(anyway && { anyway }) });
    if (answer.ok || answer.refusal.code !== "policy.cuts-session") return keep(answer, get().setStatus);
    set({ wayIn: { node, data: answer.refusal.data } });
    return null;
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
    wayIn: null,
    setWayIn: (wayIn) => {
      set({ wayIn });
    },
    connect: (bridge, node) => during("connect", () => connect(bridge, node, false)),
    goOn: async (bridge, keeps) => {
      const asked = get().wayIn;
      if (asked === null) return null;
      set({ wayIn: null });
      if (!keeps) return during("connect", () => connect(bridge, asked.node, true));
      const policy = await bridge.helper("policy", {});
      if (!policy.ok) return policy.refusal;
      // brings the parsing of addresses with it, which the first screen can do without
      const { welcoming } = await import("../../helper/contract/way-in.ts");
      const saved = await bridge.helper("setPolicy", { policy: welcoming(policy.value, asked.data) });
      if (!saved.ok) return saved.refusal;
      // a second connection from afar is asked about in its turn
      return during("connect", () => connect(bridge, asked.node, false));
    },
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
