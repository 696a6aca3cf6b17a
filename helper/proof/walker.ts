// A walk through a set of packets, held as diagrams. A question is a diagram, too, and splits the set: the walk goes on with
// the packets that answer yes, the others wait with the answers given so far and take them again, without looking, when their
// turn comes. What stands here is the state of one walk and how it splits; sums.ts sums parts of the way up, explore.ts is
// the packet that asks.
import type { Classes, Cube } from "./classes.ts";
import type { Outcome } from "./memory.ts";
import type { Route } from "./machine.ts";
import type { Origin } from "./packet.ts";

export interface Waiting {
  readonly set: number;
  /** Answers so far: 0 and 1, the place of an answer among several, or the number of an outcome. */
  readonly answers: readonly number[];
}

/** What happened to the packet on its way, and what was chosen. */
export type Changes = Outcome["changes"];

export const unchanged: Changes = { markMask: 0, markValue: 0, source: null, choices: 0 };

/** One walk after another through the packets of a cube. */
export interface Walker {
  readonly classes: Classes;
  readonly cube: Cube;
  /** All packets of the cube's family that carry what it carries. */
  readonly every: number;
  /** Numbers of births: this very one, its kind, any. */
  readonly births: Readonly<Record<"here" | "kind" | "any", number>>;
  readonly now: Now;
}

/** Where the walk is. */
export interface Now {
  waiting: Waiting[];
  set: number;
  answers: number[];
  /** The next of the answers. */
  at: number;
  /** The packet as a walk begins with it. */
  start: Changes;
  changes: Changes;
  met: Outcome["met"];
  /** Something said depends on what a table holds. */
  readTables: boolean;
  /** Walks that came to an end. */
  count: number;
}

export function walkerOf(classes: Classes, cube: Cube, all: number): Walker {
  const { family, carries, origin } = cube;
  const { shared } = classes.memory;
  const births = {
    here: shared.bornAs(family, carries, origin),
    any: shared.bornAs(family, carries, null),
    kind: shared.bornAs(family, carries, kindOf(origin)),
  };
  const now: Now = {
    ...{ waiting: all === 0 ? [] : [{ set: all, answers: [] }], set: 0, answers: [], at: 0 },
    ...{ start: unchanged, changes: unchanged, met: [], readTables: false, count: 0 },
  };
  return { classes, cube, every: shared.every(family, carries), births, now };
}

const kindOf = (origin: Origin): Origin =>
  origin.kind === "socket" ? { ...origin, device: null, source: "set" } : { ...origin, device: "any" };

/** Goes on with those that wait; false: none does. */
export function next({ now }: Walker): boolean {
  const one = now.waiting.pop();
  if (one === undefined) return false;
  now.set = one.set;
  now.answers = [...one.answers];
  now.at = 0;
  now.changes = now.start;
  now.met = [];
  return true;
}

export function decide({ classes, now }: Walker, question: number): boolean {
  if (now.at < now.answers.length) return now.answers[now.at++] === 1;
  const { d } = classes.memory.shared;
  const yes = d.and(now.set, question);
  if (yes !== 0 && yes !== now.set) {
    now.waiting.push({ set: d.minus(now.set, question), answers: [...now.answers, 0] });
    now.set = yes;
  }
  now.answers.push(yes === 0 ? 0 : 1);
  now.at += 1;
  return yes !== 0;
}

/** One of several answers that leave no packet out. */
export function among({ classes, now }: Walker, sets: readonly number[]): number {
  if (now.at < now.answers.length) return now.answers[now.at++] as number;
  const { d } = classes.memory.shared;
  let taken = -1;
  let kept = 0;
  for (const [place, one] of sets.entries()) {
    const part = d.and(now.set, one);
    if (part === 0) continue;
    if (taken < 0) {
      taken = place;
      kept = part;
    } else now.waiting.push({ set: part, answers: [...now.answers, place] });
  }
  if (taken < 0) throw new Error("no answer for any packet");
  now.set = kept;
  now.answers.push(taken);
  now.at += 1;
  return taken;
}

/** The routes of a table that cover the packet. */
export function covering(walker: Walker, side: "source" | "destination", table: number): readonly Route[] {
  const { classes, cube, now } = walker;
  const { family } = cube;
  now.readTables = true;
  const group = classes.tables[family].get(table);
  if (group === undefined) return [];
  const found = classes.memory.own.covering(family, side, group, classes);
  if (side === "source" && now.changes.source !== null) {
    const answer = classes.spaces[family].answer(group, now.changes.source);
    return found.routes[found.answers.indexOf(answer)] ?? [];
  }
  return found.routes[among(walker, found.sets)] as readonly Route[];
}
