// One state of the tunnel's life, made ready to be looked at: its machine, the machine without Culvert, and the classes of
// addresses that anything in either can tell apart. Faults change the machine, the classes stand for all of them.
import type { Family } from "../contract/prefix.ts";
import type { Policy } from "../contract/policy.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts } from "../plan/facts.ts";
import { linkName, markMask, marks, passedBit } from "../plan/numbers.ts";
import type { Plan, PlanState } from "../plan/plan.ts";
import { classifyAll, everything, type By, type Classes, type Cube } from "./classes.ts";
import { single, type Bundle } from "./bundles.ts";
import { bornLater, faultRoutes, faultsOf, type Fault } from "./faults.ts";
import { bundlesUnder, machineOf, type Machine } from "./machine.ts";
import type { Carries, Origin } from "./packet.ts";
import { formQuestions } from "./outranked.ts";
import { questions } from "./questions.ts";
import { wantedOf, type Wanted } from "./wanted.ts";

export interface State {
  readonly name: PlanState;
  readonly plan: Plan;
  readonly policy: Policy;
  readonly facts: Facts;
  readonly exit: Exit;
  readonly machine: Machine;
  /** The machine without Culvert: what "direct" means. */
  readonly bare: Machine;
  readonly bundles: readonly Bundle[];
  readonly classes: Classes;
  readonly wanted: Wanted;
  readonly faults: readonly Fault[];
  /** Devices that something tells apart, the tunnel left out, and one that nobody has heard of. */
  readonly devices: readonly string[];
  readonly families: readonly Family[];
}

type Input = Readonly<{ policy: Policy; facts: Facts; exit: Exit }>;

/** `half`: the facts of a machine between two plans, of which only the gate of `plan` stands. */
export function stateOf(input: Input, plan: Plan, half: Facts | null = null): State {
  return statesOf(input, [plan], half)[0] as State;
}

/** Several plans for one machine: what they have in common is looked at once. */
export function statesOf(input: Input, plans: readonly Plan[], half: Facts | null = null, by?: By): State[] {
  const { policy, facts, exit } = input;
  const bare = machineOf(facts, null);
  const faults = faultsOf(facts);
  const brought = faultRoutes(facts).map(single);
  const wishes = new Map<string, Wanted>();
  const parts = plans.map((whole) => {
    const plan = half === null ? whole : { ...whole, link: null, rules: [], routes: [], nexthops: [], sysctls: [] };
    const apps = JSON.stringify(whole.apps);
    const wanted = wishes.get(apps) ?? wantedOf(policy, facts, exit, whole.apps);
    wishes.set(apps, wanted);
    const machine = machineOf(half ?? facts, plan, half !== null);
    return { plan, wanted, machine, bundles: [...bundlesUnder(half ?? facts, plan, half !== null), ...brought] };
  });
  const asked = function* () {
    yield* questions(bare);
    for (const { machine } of parts) {
      yield* questions(machine);
      for (const fault of faults) if (fault.name.startsWith("new")) yield* questions(fault.change(machine));
    }
    for (const wanted of wishes.values()) yield* wanted.questions;
    yield* formQuestions(policy.form);
  };
  const tables = parts.map(({ bundles, machine }) => ({ bundles, rules: machine.rules }));
  const classes = classifyAll(asked(), tables, by);
  return parts.map((part, i) => ({
    ...{ name: part.plan.state, policy, facts, exit, bare, faults, ...part },
    classes: classes[i] as Classes,
    devices: devicesOf(part.machine, part.wanted),
    families: facts.features.ipv6 ? [4, 6] : [4],
  }));
}

/** Sockets of this machine, whoever made them: programs, and the kernel where that can matter. */
export function sockets(state: State, device: string | null, source: "unset" | "set"): Origin[] {
  const origin = (kernel: boolean): Origin => ({ kind: "socket", device, source, kernel });
  return ownersMatter(state) ? [origin(false), origin(true)] : [origin(false)];
}

/**
 * All packets of these origins. What comes in carries no mark yet: a mark does not cross a device (4.45). What is made here
 * carries any mark but those of answers and of what was found to be direct, which lock 2 alone gives: who may forge them
 * (CAP_NET_ADMIN) could as well take the gate away, so that is among the limits.
 */
export function starts(state: State, origins: readonly Origin[], carries: Carries = "ip"): Cube[] {
  return state.families.flatMap((family) =>
    origins.map((origin) => {
      const cube = everything(state.classes, family, origin, carries);
      const mark =
        origin.kind === "arriving"
          ? { mask: 0xffff_ffff, value: 0, not: [] }
          : { mask: 0, value: 0, not: [reply, passed] };
      return { ...cube, mark };
    }),
  );
}

const reply = { mask: markMask, value: marks.reply };
const passed = { mask: passedBit, value: passedBit };

/** 2.28: packets of the kernel differ from a program's only where somebody asks for the owner. */
function ownersMatter({ machine, bare, policy }: State): boolean {
  return (
    policy.rules.some((rule) => rule.match.users !== undefined) ||
    [...machine.rules, ...bare.rules].some((rule) => rule.uids !== null) ||
    machine.nft.some((t) => t.chains.some((c) => c.rules.some((r) => r.matches.some((m) => m.kind === "skuid"))))
  );
}

/** Of devices that no line and no wish tells apart one stands for all. */
function devicesOf(machine: Machine, wanted: Wanted): string[] {
  const named = new Set(wanted.lan.map((l) => l.device));
  const patterns: string[] = [];
  for (const table of machine.nft)
    for (const chain of table.chains) {
      if (chain.base?.devices?.kind === "names") for (const name of chain.base.devices.names) named.add(name);
      for (const { matches } of chain.rules)
        for (const match of matches)
          if (match.kind === "oifname" || match.kind === "iifname") {
            if (match.name.endsWith("*")) patterns.push(match.name.slice(0, -1));
            else named.add(match.name);
          }
    }
  const told = (name: string): boolean => named.has(name) || patterns.some((p) => name.startsWith(p));
  const there = [...machine.links.values()].filter((l) => !l.loopback && !l.tunnel).map((l) => l.name);
  const apart = new Set([...there.filter(told), ...named, ...patterns.map((p) => `${p}0`)]);
  for (const name of [linkName, "lo", ...[...machine.links.values()].filter((l) => l.loopback).map((l) => l.name)])
    apart.delete(name);
  const other = there.find((name) => !told(name));
  return [...apart, ...(other === undefined ? [] : [other]), bornLater];
}
