// The nodes as the helper knows them; what is searched for and chosen is the window's own.
import { create } from "zustand";

import type { Node } from "../../helper/contract/node.ts";
import type { Answer, Refusal } from "../../helper/contract/refusal.ts";
import type { Bridge } from "../../preload/bridge.ts";

export interface NodesStore {
  /** null until the helper has answered. */
  readonly nodes: readonly Node[] | null;
  readonly query: string;
  readonly chosen: string | null;
  readonly setNodes: (nodes: readonly Node[]) => void;
  readonly search: (query: string) => void;
  readonly choose: (id: string | null) => void;
  readonly add: (bridge: Bridge, name: string, text: string) => Promise<Answer<Node>>;
  readonly rename: (bridge: Bridge, node: string, name: string) => Promise<Refusal | null>;
  readonly remove: (bridge: Bridge, node: string) => Promise<Refusal | null>;
  readonly favourite: (bridge: Bridge, node: string, favourite: boolean) => Promise<Refusal | null>;
}

export const useNodes = create<NodesStore>((set, get) => {
  const put = (node: Node): void => {
    const others = (get().nodes ?? []).filter((other) => other.id !== node.id);
    set({ nodes: [...others, node] });
  };
  const settle = (answer: Answer<Node>): Refusal | null => {
    if (!answer.ok) return answer.refusal;
    put(answer.value);
    return null;
  };
  return {
    nodes: null,
    query: "",
    chosen: null,
    setNodes: (nodes) => {
      const chosen = get().chosen;
      set({ nodes, chosen: nodes.some((node) => node.id === chosen) ? chosen : null });
    },
    search: (query) => {
      set({ query });
    },
    choose: (chosen) => {
      set({ chosen });
    },
    add: async (bridge, name, text) => {
      const answer = await bridge.helper("import", { name, text });
      if (settle(answer) === null && answer.ok) set({ chosen: answer.value.id });
      return answer;
    },
    rename: async (bridge, node, name) => settle(await bridge.helper("rename", { node, name })),
    favourite: async (bridge, node, favourite) => settle(await bridge.helper("favourite", { node, favourite })),
    remove: async (bridge, node) => {
      const answer = await bridge.helper("remove", { node });
      if (!answer.ok) return answer.refusal;
      get().setNodes((get().nodes ?? []).filter((other) => other.id !== node));
      return null;
    },
  };
});
