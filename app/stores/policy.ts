// The policy as it is saved in the helper, and the draft the person works on. Nothing is applied before it is saved; the
// helper is asked what the draft would do (`check`), so that what breaks it is known before the button is pressed.
import { create } from "zustand";

import type { Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";
import type { Refusal } from "../../helper/contract/refusal.ts";
import type { Checked } from "../../helper/contract/verdict.ts";
import type { Bridge } from "../../preload/bridge.ts";
import { besideLane, samePolicy, withoutRule, withPreset, withRule, withRuleAt, type Preset } from "../view/draft.ts";

/** What the helper says of the draft. unasked: nothing has changed, or it changed this very moment. */
export type Verdict =
  | { readonly kind: "unasked" }
  | { readonly kind: "asking" }
  | { readonly kind: "checked"; readonly checked: Checked }
  | { readonly kind: "refused"; readonly refusal: Refusal };

export interface PolicyStore {
  readonly saved: Policy | null;
  readonly draft: Policy | null;
  readonly verdict: Verdict;
  /** The rule lifted by keyboard, and the draft it returns to. */
  readonly lifted: { readonly id: string; readonly before: Policy } | null;
  readonly saving: boolean;
  readonly read: (bridge: Bridge) => Promise<void>;
  readonly edit: (change: (draft: Policy) => Policy) => void;
  readonly putRule: (rule: PolicyRule) => void;
  readonly removeRule: (id: string) => void;
  readonly preset: (preset: Preset) => void;
  readonly lift: (id: string) => void;
  /** Moves the lifted rule: order by one, or lane by one. */
  readonly move: (step: { readonly order?: 1 | -1; readonly lane?: 1 | -1 }) => void;
  readonly put: (id: string, place: number, lane: Lane) => void;
  readonly setDown: () => void;
  readonly giveUp: () => void;
  readonly discard: () => void;
  readonly judge: (bridge: Bridge, node: string | null) => Promise<void>;
  /** confirmWithin, seconds: unless `confirm` follows in that time, the helper goes back to the policy of before. */
  readonly save: (bridge: Bridge, confirmWithin?: number) => Promise<Refusal | null>;
  readonly confirm: (bridge: Bridge) => Promise<Refusal | null>;
  /** Saves a change at once, past the draft: for Settings, whose switches act when they are set. */
  readonly saveNow: (bridge: Bridge, change: (policy: Policy) => Policy) => Promise<Refusal | null>;
}

export const usePolicy = create<PolicyStore>((set, get) => {
  let question = 0;
  const edit: PolicyStore["edit"] = (change) => {
    const { draft } = get();
    if (draft === null) return;
    question++;
    set({ draft: change(draft), verdict: { kind: "unasked" } });
  };
  const write = async (bridge: Bridge, policy: Policy, confirmWithin?: number): Promise<Refusal | null> => {
    set({ saving: true });
    const answer = await bridge.helper("setPolicy", {
      policy,
      ...(confirmWithin === undefined ? {} : { confirmWithin }),
    });
    set({ saving: false });
    return answer.ok ? null : answer.refusal;
  };
  return {
    saved: null,
    draft: null,
    verdict: { kind: "unasked" },
    lifted: null,
    saving: false,
    read: async (bridge) => {
      const answer = await bridge.helper("policy", {});
      if (!answer.ok) return;
      const { saved, draft } = get();
      const touched = saved !== null && draft !== null && !samePolicy(saved, draft);
      set({ saved: answer.value, draft: touched ? draft : answer.value });
    },
    edit,
    putRule: (rule) => {
      edit((draft) => withRule(draft, rule));
    },
    removeRule: (id) => {
      edit((draft) => withoutRule(draft, id));
    },
    preset: (preset) => {
      edit((draft) => withPreset(draft, preset));
    },
    lift: (id) => {
      const { draft } = get();
      if (draft !== null) set({ lifted: { id, before: draft } });
    },
    move: ({ order = 0, lane }) => {
      const id = get().lifted?.id;
      edit((draft) => {
        const place = draft.rules.findIndex((rule) => rule.id === id);
        const rule = draft.rules[place];
        if (rule === undefined) return draft;
        return withRuleAt(draft, rule.id, place + order, lane === undefined ? rule.lane : besideLane(rule.lane, lane));
      });
    },
    put: (id, place, lane) => {
      edit((draft) => withRuleAt(draft, id, place, lane));
    },
    setDown: () => {
      set({ lifted: null });
    },
    giveUp: () => {
      const { lifted } = get();
      if (lifted === null) return;
      edit(() => lifted.before);
      set({ lifted: null });
    },
    discard: () => {
      const { saved } = get();
      question++;
      set({ draft: saved, verdict: { kind: "unasked" }, lifted: null });
    },
    judge: async (bridge, node) => {
      const { draft, saved } = get();
      if (draft === null || saved === null || samePolicy(draft, saved)) return;
      const mine = ++question;
      set({ verdict: { kind: "asking" } });
      const answer = await bridge.helper("check", { node, policy: draft });
      if (mine !== question) return;
      if (answer.ok) set({ verdict: { kind: "checked", checked: answer.value } });
      else set({ verdict: { kind: "refused", refusal: answer.refusal } });
    },
    confirm: async (bridge) => {
      const answer = await bridge.helper("confirm", {});
      return answer.ok ? null : answer.refusal;
    },
    save: async (bridge, confirmWithin) => {
      const { draft } = get();
      if (draft === null) return null;
      const refusal = await write(bridge, draft, confirmWithin);
      if (refusal === null) set({ saved: draft, verdict: { kind: "unasked" }, lifted: null });
      return refusal;
    },
    saveNow: async (bridge, change) => {
      const { saved, draft } = get();
      if (saved === null || draft === null) return null;
      const policy = change(saved);
      const refusal = await write(bridge, policy);
      if (refusal === null) set({ saved: policy, draft: change(draft) });
      return refusal;
    },
  };
});
