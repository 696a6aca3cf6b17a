// Whole parts of a packet's way (a hook, a table's answer, what the policy wants of it) are summed up once for all packets:
// which of them come to which end. After that they are one question with a few answers.
import type { Memory, Outcome, Row } from "./memory.ts";
import type { Packet, Part } from "./packet.ts";
import { next, unchanged, type Changes, type Walker } from "./walker.ts";

/** Values of one name are the same. */
type Name = (value: unknown) => string;

/** What a part comes to for the packets of a walk, which goes on with those of one outcome. */
export function summed<T>(
  walker: Walker,
  packet: Packet,
  part: Part,
  of: (packet: Packet) => T,
  name?: (value: T) => string,
): T {
  const { now } = walker;
  if (now.at < now.answers.length) return taken(walker) as T;
  return oneOf(walker, reaching(walker, recall(walker, packet, part, of, name), now.set, now.changes)) as T;
}

export function firstOf<P extends Part, T>(
  walker: Walker,
  packet: Packet,
  parts: readonly P[],
  of: (part: P, packet: Packet) => T | undefined,
  name?: (value: T) => string,
): T | undefined {
  const { now } = walker;
  if (now.at < now.answers.length) return taken(walker) as T | undefined;
  return oneOf(walker, reaching(walker, inOrder(walker, packet, parts, of, name), now.set, now.changes)) as
    T | undefined;
}

/** Goes on with the packets of one outcome, and leaves those of the others waiting. */
function oneOf(walker: Walker, outcomes: readonly Outcome[]): unknown {
  const { now } = walker;
  const { shared } = walker.classes.memory;
  const kept = (outcome: Outcome): number => shared.outcomes.push(outcome) - 1;
  const [first, ...others] = outcomes;
  if (first === undefined) throw new Error("no outcome for any packet");
  for (const outcome of others) now.waiting.push({ set: outcome.set, answers: [...now.answers, kept(outcome)] });
  now.set = first.set;
  now.answers.push(kept(first));
  return taken(walker);
}

function taken({ classes, now }: Walker): unknown {
  const outcome = classes.memory.shared.outcomes[now.answers[now.at++] as number] as Outcome;
  now.changes = outcome.changes;
  if (outcome.met.length > 0) now.met = [...now.met, ...outcome.met];
  return outcome.value;
}

/** Of packets of a set that have come this far those that come to each outcome. */
function reaching(walker: Walker, known: readonly Outcome[], from: number, base: Changes): Outcome[] {
  const { d } = walker.classes.memory.shared;
  const ends: Outcome[] = [];
  for (const outcome of known) {
    const some = d.and(from, asBorn(walker, outcome.set));
    if (some !== 0) ends.push({ ...outcome, changes: after(base, outcome.changes), set: some });
  }
  return ends;
}

/** A set said of the packet as it is by now, said of the packet as it was born. */
function asBorn({ classes, cube, now }: Walker, set: number): number {
  const { shared } = classes.memory;
  const { markMask, markValue, source } = now.changes;
  const seen = markMask === 0 ? set : shared.withMark(set, markMask, markValue);
  return source === null ? seen : shared.withSource(cube.family, seen, source);
}

/** What a part comes to, said of any packet that reaches it: remembered for all that reach it by other ways. */
function recall<T>(
  walker: Walker,
  packet: Packet,
  part: Part,
  of: (packet: Packet) => T,
  name?: (value: T) => string,
): readonly Outcome[] {
  const { births, now } = walker;
  const { shared, own } = walker.classes.memory;
  const key = births[part.born ?? "here"] * 64 + now.changes.choices;
  const told = part.like ?? part;
  const known = shared.recall(told, key) ?? own.recall(told, key);
  if (known !== undefined) {
    now.readTables ||= known.readTables;
    return known.outcomes;
  }
  const before = now.readTables;
  now.readTables = false;
  const outcomes = sumUp(walker, packet, of, name && ((value) => name(value as T)));
  const readTables = hasRead(walker);
  // what read a table holds for machines with these tables, anything else for all of them
  (readTables && part.tables !== "named" ? own : shared).remember(told, key, { outcomes, readTables });
  now.readTables = before || readTables;
  return outcomes;
}

const hasRead = ({ now }: Walker): boolean => now.readTables;

/** Every way `of` can go for any packet; sets and changes are said of the packet as it comes to it. */
function sumUp(walker: Walker, packet: Packet, of: (packet: Packet) => unknown, name: Name | undefined): Outcome[] {
  const { now, every } = walker;
  const { waiting, set, answers, at, changes, met, start } = now;
  const outcomes = gathering(walker.classes.memory.shared, [], name);
  now.waiting = [{ set: every, answers: [] }];
  now.start = { ...unchanged, choices: changes.choices };
  while (next(walker)) {
    const value = of(packet);
    now.count += 1;
    outcomes.add({ value, changes: now.changes, set: now.set, met: now.met });
  }
  Object.assign(now, { waiting, set, answers, at, changes, met, start });
  return outcomes.all;
}

/**
 * All that `parts` come to in order, of any packet: those for which one says nothing go on to the next. Rows that begin with
 * the same parts share what these come to.
 */
function inOrder<P extends Part, T>(
  walker: Walker,
  packet: Packet,
  parts: readonly P[],
  of: (part: P, packet: Packet) => T | undefined,
  name: ((value: T) => string) | undefined,
): readonly Outcome[] {
  const { births, every, now } = walker;
  const { shared, own } = walker.classes.memory;
  const named: Name | undefined = name && ((value) => (value === undefined ? "" : name(value as T)));
  const { changes, readTables } = now;
  const { choices } = changes;
  let row = shared.row(births.any * 64 + choices, () => ({
    ...{ ends: [], readTables: false, unnamed: false },
    open: [{ value: undefined, set: every, changes: { ...unchanged, choices }, met: [] }],
  }));
  for (const part of parts) {
    if (row.open.length === 0) break;
    const told = part.like ?? part;
    const key = births[part.born ?? "here"];
    const known = shared.next(row, told, key) ?? own.next(row, told, key);
    if (known !== undefined) {
      row = known;
      continue;
    }
    now.readTables = false;
    const made = onward(shared, row, named, (one) => {
      now.changes = one.changes;
      const said = recall(walker, packet, part, (asked) => of(part, asked), named);
      return reaching(walker, said, one.set, one.changes);
    });
    const unnamed = row.unnamed || (hasRead(walker) && part.tables !== "named");
    const longer = { ...made, unnamed, readTables: row.readTables || hasRead(walker) };
    (unnamed ? own : shared).keepNext(row, told, key, longer);
    row = longer;
  }
  now.changes = changes;
  now.readTables = readTables || row.readTables;
  return [...row.ends, ...row.open];
}

/** A row with one part more; `said`: what the part says to packets that are open. */
function onward(
  memory: Memory,
  row: Row,
  name: Name | undefined,
  said: (one: Outcome) => readonly Outcome[],
): Pick<Row, "ends" | "open"> {
  const ends = gathering(memory, row.ends, name);
  const open = gathering(memory, [], name);
  for (const one of row.open)
    for (const outcome of said(one)) {
      const met = outcome.met.length === 0 ? one.met : [...one.met, ...outcome.met];
      // what changed the packet and said nothing is told apart from what did not
      (outcome.value === undefined ? open : ends).add({ ...outcome, met });
    }
  return { ends: ends.all, open: open.all };
}

/** Ends that are the same, those there were before included, are one. */
function gathering({ d }: Memory, before: readonly Outcome[], name: Name | undefined) {
  const all: Outcome[] = [];
  const found = new Map<unknown, Outcome[]>();
  const add = (end: Outcome): void => {
    const key = name === undefined ? end.value : name(end.value);
    let same = found.get(key);
    if (same === undefined) found.set(key, (same = []));
    const twin = same.find((o) => alike(o.changes, end.changes));
    if (twin === undefined) {
      same.push(end);
      all.push(end);
      return;
    }
    twin.set = d.or(twin.set, end.set);
    if (end.met.length > 0) twin.met = [...twin.met, ...end.met];
  };
  for (const end of before) add({ ...end });
  return { all, add };
}

function after(before: Changes, { markMask, markValue, source, choices }: Changes): Changes {
  if (markMask === 0 && source === null && choices === before.choices) return before;
  return {
    markMask: (before.markMask | markMask) >>> 0,
    markValue: ((before.markValue & ~markMask) | markValue) >>> 0,
    source: source ?? before.source,
    choices,
  };
}

const alike = (a: Changes, b: Changes): boolean =>
  a.markMask === b.markMask && a.markValue === b.markValue && a.source === b.source && a.choices === b.choices;
