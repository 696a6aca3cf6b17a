// Changes of a policy's draft, each from a whole policy to a whole policy. The order of the rules is the order of the
// board; the local network and everything else have fixed places at its two ends.
import type { Lane, Policy, PolicyRule } from "../../helper/contract/policy.ts";

/** all: everything in the tunnel; but: with exceptions that go directly; only: nothing but what rules choose. */
export const presets = ["all", "but", "only"] as const;
export type Preset = (typeof presets)[number];

/** Presets are nothing but policies: what is chosen is the lane of everything else, and "all" has no exceptions. */
export function withPreset(policy: Policy, preset: Preset): Policy {
  switch (preset) {
    case "all":
      return { ...policy, mode: "everything", rules: policy.rules.filter((rule) => rule.lane !== "direct") };
    case "but":
      return { ...policy, mode: "everything" };
    case "only":
      return { ...policy, mode: "only" };
  }
}

export function presetOf(policy: Policy): Preset {
  if (policy.mode === "only") return "only";
  return hasLane(policy, "direct") ? "but" : "all";
}

/** The lane that a preset's first rule is for, where it has none yet. */
export function laneWanted(policy: Policy, preset: Preset): Lane | null {
  const lane = preset === "only" ? "tunnel" : preset === "but" ? "direct" : null;
  return lane === null || hasLane(policy, lane) ? null : lane;
}

const hasLane = (policy: Policy, lane: Lane): boolean => policy.rules.some((rule) => rule.lane === lane);

export function withRule(policy: Policy, rule: PolicyRule): Policy {
  const known = policy.rules.some((one) => one.id === rule.id);
  const rules = known ? policy.rules.map((one) => (one.id === rule.id ? rule : one)) : [...policy.rules, rule];
  return { ...policy, rules };
}

export function withoutRule(policy: Policy, id: string): Policy {
  return { ...policy, rules: policy.rules.filter((rule) => rule.id !== id) };
}

/** Puts a rule at a place in the order and into a lane; a place past either end is that end. */
export function withRuleAt(policy: Policy, id: string, place: number, lane: Lane): Policy {
  const rule = policy.rules.find((one) => one.id === id);
  if (rule === undefined) return policy;
  const others = policy.rules.filter((one) => one.id !== id);
  const index = Math.max(0, Math.min(others.length, place));
  return { ...policy, rules: [...others.slice(0, index), { ...rule, lane }, ...others.slice(index)] };
}

const laneOrder: readonly Lane[] = ["tunnel", "direct", "block"];

/** One lane up or down on the board. */
export function besideLane(lane: Lane, step: 1 | -1): Lane {
  return laneOrder[laneOrder.indexOf(lane) + step] ?? lane;
}

export function samePolicy(one: Policy, other: Policy): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
