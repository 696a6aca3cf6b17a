// Keeps the proof of what stands in step with the machine, and what is found on it that should not be. A plan that is the
// same as before need not be proven again for what is ours; but the ground it stands on has changed. A foreign rule that
// comes before ours sends packets to where the gate drops them: nothing leaks and nothing of ours is broken, so it is not
// touched but offered, with who wrote it. What breaks the proof is found by taking it away and proving again.
import { createHash } from "node:crypto";

import type { Drift } from "../contract/status.ts";
import type { Finding } from "../contract/verdict.ts";
import type { Change } from "../kernel/kernel.ts";
import type { Facts, RuleFact } from "../plan/facts.ts";
import { ranges } from "../plan/numbers.ts";
import { printOperation, protocolOf } from "../plan/print.ts";
import type { Removal } from "../plan/removal.ts";
import { staleOf } from "../policy/stale.ts";
import { readFacts, standing } from "./ground.ts";
import type { Deps, Live } from "./live.ts";

export interface Found {
  readonly finding: Finding;
  readonly remedy: readonly Removal[];
  readonly at: number;
}

export interface Findings {
  /** Something foreign changed: proven again when it is calm. */
  ground(change: Change): void;
  poke(): void;
  list(): Promise<readonly Finding[]>;
  /** id null: all that can be. undefined: there is no such finding. Else the commands it did. */
  repair(id: string | null): Promise<readonly string[] | undefined>;
  /** What is offered, for the status. */
  offered(): readonly Drift[];
  close(): void;
}

export interface FindingsDeps extends Deps {
  readonly now: () => number;
}

/** Changes come in bursts: a network manager that brings a link up makes twenty. */
const calmMs = 150;
/** Who changed something is remembered for so many changes. */
const signed = 64;

export function watchFindings(
  deps: FindingsDeps,
  live: Live,
  on: { readonly steady: () => boolean; readonly changed: () => void; readonly repaired: (drift: Drift) => void },
): Findings {
  let timer: NodeJS.Timeout | undefined;
  let round = 0;
  let found: readonly Found[] = [];
  let authors: readonly Change[] = [];
  /** The ground of the last proof that held. */
  let firm: readonly RuleFact[] = [];

  const look = async (): Promise<void> => {
    const mine = ++round;
    const { applied } = live;
    if (applied === null || !on.steady()) {
      found = [];
      return;
    }
    const facts = standing(await readFacts(deps, live), applied);
    if (mine !== round || live.applied !== applied || !on.steady()) return;
    const proved = proveOn(deps, applied, facts);
    if (proved === null) return;
    const before = JSON.stringify([live.proof === null, found.map((f) => f.finding.id)]);
    if (proved.ok) {
      firm = facts.rules;
      // the same plan on this machine, asked this moment: that it was remembered makes it no older
      live.proof = proved.value === null ? null : { ...proved.value, at: deps.now() };
      found = [];
    } else {
      deps.log("what stands is not proven any more", proved.refusal);
      live.proof = null;
      const known = new Map(found.map((f) => [f.finding.id, f]));
      found = culprits(deps, applied, facts, firm).map((rule) => {
        const made = ruleFinding(rule, authors, deps.now());
        return known.get(made.finding.id) ?? made;
      });
    }
    if (JSON.stringify([live.proof === null, found.map((f) => f.finding.id)]) !== before) on.changed();
  };

  const poke = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      look().catch((error: unknown) => {
        deps.log("what stands is not proven again", { error: String(error) });
      });
    }, calmMs);
    timer.unref();
  };

  const all = async (): Promise<readonly Pick<Found, "finding" | "remedy">[]> => {
    const [facts, evidence] = await Promise.all([deps.kernel.read(), deps.kernel.evidence()]);
    const stands = live.applied !== null || deps.store.policy().killSwitch === "boot";
    return [...found, ...staleOf(facts, { ...evidence, standing: stands })];
  };

  return {
    ground(change) {
      authors = [...authors, change].slice(-signed);
      poke();
    },
    poke,
    list: async () => (await all()).map((f) => f.finding),
    async repair(id) {
      const chosen = (await all()).filter((f) => id === null || f.finding.id === id);
      if (id !== null && chosen.length === 0) return undefined;
      const done: string[] = [];
      for (const { finding, remedy } of chosen.filter((f) => f.remedy.length > 0)) {
        done.push(...(await deps.kernel.remove(remedy)));
        const [what = finding.code] = finding.what;
        on.repaired({ at: deps.now(), what: what.slice(0, 400), author: finding.author, mended: true });
      }
      await look();
      on.changed();
      return done;
    },
    offered: () =>
      found.map(({ finding, at }) => ({
        ...{ at, what: (finding.what[0] ?? finding.code).slice(0, 400), author: finding.author, mended: false },
        finding: finding.id,
      })),
    close() {
      round++;
      clearTimeout(timer);
    },
  };
}

/** null: another plan is due, and proven then. */
function proveOn(
  deps: Deps,
  { plan, exit }: NonNullable<Live["applied"]>,
  facts: Facts,
): ReturnType<Deps["prove"]> | null {
  const input = { policy: deps.store.policy(), facts, exit };
  const locked = deps.compile({ ...input, state: "locked" });
  const same = deps.compile({ ...input, state: plan.state });
  if (!locked.ok || !same.ok || JSON.stringify(same.value) !== JSON.stringify(plan)) return null;
  return deps.prove({ ...input, plans: { connecting: locked.value, connected: plan, locked: locked.value } });
}

/** Foreign rules that came since the proof held, and without which it would. */
function culprits(
  deps: Deps,
  applied: NonNullable<Live["applied"]>,
  facts: Facts,
  firm: readonly RuleFact[],
): readonly RuleFact[] {
  const known = new Set(firm.map((rule) => JSON.stringify(rule)));
  const fresh = facts.rules.filter((rule) => isForeign(rule) && !known.has(JSON.stringify(rule))).slice(0, mostTried);
  const holdsWithout = (rules: readonly RuleFact[]): boolean =>
    proveOn(deps, applied, { ...facts, rules: facts.rules.filter((rule) => !rules.includes(rule)) })?.ok === true;
  if (fresh.length === 0 || !holdsWithout(fresh)) return [];
  // each that is needed to break it: with all the others gone it breaks all the same
  const guilty = fresh.filter((rule) => !holdsWithout(fresh.filter((other) => other !== rule)));
  return guilty.length === 0 ? fresh : guilty;
}

/** Each costs a proof. */
const mostTried = 16;

/** Before or among ours: after the catch-all nothing is asked any more. */
const isForeign = (rule: RuleFact): boolean => rule.priority > 0 && rule.priority <= ranges.lastPriority;

function ruleFinding(rule: RuleFact, authors: readonly Change[], now: number): Found {
  const remedy: Removal = { kind: "rule.del", rule };
  const command = printOperation(remedy);
  const what = command.replace(" rule del ", " rule add ");
  const change = authors.findLast((c) => c.kind === "rule" && c.what === what);
  const id = `rule-${createHash("sha256").update(command).digest("hex").slice(0, 12)}`;
  const finding: Finding = {
    ...{ id, kind: "drift", code: "rule.foreign", what: [what], remedy: [command] },
    data: { rule: what, by: protocolOf(rule.protocol) },
    author: change?.author ?? null,
  };
  return { finding, remedy: [remedy], at: change?.at ?? now };
}
