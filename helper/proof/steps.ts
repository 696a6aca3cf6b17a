// P9, every single step, and P11, taking down. Between two plans the machine is neither: so each step in between must hold
// by the gate alone, whatever routes and rules happen to be there (leaks.ts has then shown it for every order of steps), or,
// where the gate leans on routing, the steps are walked one by one.
import type { Facts } from "../plan/facts.ts";
import { diff, type Operation } from "../plan/diff.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, ranges } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import { routeFact, simulate } from "../plan/simulate.ts";
import { thinned } from "./bundles.ts";
import { leaks, type Finding } from "./leaks.ts";
import type { ProofInput } from "./prove.ts";
import { stateOf, type State } from "./state.ts";

interface Moved {
  readonly findings: readonly { readonly state: State; readonly finding: Finding }[];
  readonly classes: number;
  readonly steps: number;
}

/** `alone`: the plans whose gate holds with any routing. */
export function steps(input: ProofInput, alone: ReadonlySet<Plan>): Moved {
  const { connecting, connected, locked } = input.plans;
  const off = input.facts;
  let classes = 0;
  let count = 0;
  const findings: { state: State; finding: Finding }[] = [];
  // from, to, and whose gate stands meanwhile
  const ways: readonly (readonly [Plan | null, Plan])[] = [
    [null, connecting],
    // after a crash, or from boot on
    [null, locked],
    [connecting, connected],
    [connected, locked],
    [locked, connecting],
  ];
  for (const [from, to] of ways) {
    const gate = to.order === "gate-first" ? to : from;
    count += 1;
    if (gate === null) {
      // from Off there is no gate yet: a plan that lays routes before it closes would be open in between
      const state = stateOf(input, to);
      findings.push({ state, finding: openWhile(state) });
      continue;
    }
    if (alone.has(gate)) continue;
    const before = from === null ? off : simulate(off, diff(from, off));
    const operations = diff(to, before);
    count += operations.length;
    for (const half of between(before, operations)) {
      const step = { ...stateOf(input, gate, half), faults: [] };
      const out = leaks(step);
      classes += out.classes;
      for (const finding of out.findings) findings.push({ state: step, finding: { ...finding, property: "P9" } });
      if (findings.length > 0) return { findings, classes, steps: count };
    }
  }
  return { findings, classes, steps: count };
}

/**
 * A, 11.8: the drop policy of a chain made anew comes into force only at the end of the transaction. Every chain that
 * closes must end in a drop rule. Gives the chains that do not.
 */
export function openEnds(plan: Plan): string[] {
  return plan.nft.flatMap((table) =>
    table.chains
      .filter(({ base, rules }) => {
        const last = rules.at(-1);
        return base?.policy === "drop" && !(last?.verdict.kind === "drop" && last.matches.length === 0);
      })
      .map((chain) => `${table.family} ${chain.name}`),
  );
}

/** P11: taking down leaves what was there, and touches nothing that is not ours. null: it does. */
export function undone({ facts, policy }: ProofInput, up: Plan, off: Plan): Readonly<Record<string, string>> | null {
  for (const [what, left] of Object.entries({
    // a kill switch from boot on leaves the gate closed, which is what was asked for
    nft: policy.killSwitch === "boot" ? [] : off.nft,
    routes: off.routes,
    rules: off.rules,
    nexthops: off.nexthops,
  }))
    if (left.length > 0) return { leaves: what };
  if (off.link !== null || off.dns !== null) return { leaves: off.link === null ? "dns" : "link" };
  // routes are laid and taken one by one: a few of each kind say what becomes of all
  const few = thinned(up, facts);
  const raised = simulate(facts, diff(few, facts));
  const down = diff({ ...off, sysctls: up.sysctls.flatMap(({ key }) => known(facts, key)) }, raised);
  const foreign = down.find((operation) => !isOwn(operation, up));
  if (foreign) return { touches: foreign.kind };
  const after = simulate(raised, down);
  for (const part of ["routes", "rules", "nexthops", "addresses", "links"] as const)
    if (sorted(after[part]) !== sorted(facts[part])) return { leaves: part };
  return null;
}

const known = (facts: Facts, key: string): { key: string; value: string }[] => {
  const value = facts.sysctls[key];
  return value === undefined ? [] : [{ key, value }];
};

const sorted = (values: readonly unknown[]): string => JSON.stringify(values.map((v) => JSON.stringify(v)).sort());

function isOwn(operation: Operation, up: Plan): boolean {
  switch (operation.kind) {
    case "sysctl.set":
      return up.sysctls.some((s) => s.key === operation.key);
    case "link.set":
    case "link.del":
      return operation.name === linkName;
    case "address.add":
    case "address.del":
      return operation.link === linkName;
    case "nexthop.replace":
    case "nexthop.del":
      return true;
    case "route.replace":
      return isOwnRoute(routeFact(operation.route));
    case "route.del":
      return isOwnRoute(operation.route);
    case "rule.add":
    case "rule.del":
      return operation.rule.priority >= ranges.firstPriority && operation.rule.priority <= ranges.lastPriority;
  }
}

/** The machine after each operation; of a long run of routes only the ends, since each of them only adds its own prefix. */
function* between(facts: Facts, operations: readonly Operation[]): Generator<Facts> {
  yield facts;
  let now = facts;
  for (let i = 0; i < operations.length;) {
    let to = i + 1;
    while (to < operations.length && operations.length > manySteps && sameRun(operations[i], operations[to])) to++;
    now = simulate(now, operations.slice(i, to));
    yield now;
    i = to;
  }
}

const manySteps = 200;
const sameRun = (a: Operation | undefined, b: Operation | undefined): boolean =>
  a?.kind === b?.kind && (a?.kind === "route.replace" || a?.kind === "route.del");

function openWhile(state: State): Finding {
  return {
    ...{ property: "P9", fault: "none", machine: state.machine, routing: { kind: "model" }, cube: null },
    data: { order: state.plan.order },
  };
}
