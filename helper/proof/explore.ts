// How sets of packets are walked. A set is a diagram; a question is one, too, and splits it: the walk goes on with the
// packets that answer yes, the others wait with the answers given so far and take them again, without looking, when their
// turn comes. Whole parts of the way (a hook, a table's answer, what the policy wants of a packet) are summed up once for
// all packets: which of them come to which end. After that they are one question with a few answers.
import type { Classes, Cube, Visit } from "./classes.ts";
import { diagramOf, type Memory, type Outcome, type Row } from "./memory.ts";
import type { Route } from "./machine.ts";
import type { Origin, Packet, Part } from "./packet.ts";

/** Above this the answer would not come in time; not proven then, never "proven so far". */
const mostLeaves = 2_000_000;

interface Waiting {
  readonly set: number;
  /** Answers so far: 0 and 1, the place of an answer among several, or the number of an outcome. */
  readonly answers: readonly number[];
}

/** What happened to the packet on its way, and what was chosen. */
interface Changes {
  readonly markMask: number;
  readonly markValue: number;
  readonly source: number | null;
  readonly choices: number;
}

const unchanged: Changes = { markMask: 0, markValue: 0, source: null, choices: 0 };

export function exploreDiagrams(classes: Classes, start: readonly Cube[], visit: Visit): number {
  let leaves = 0;
  for (const cube of [...start].reverse()) {
    const set = diagramOf(classes.memory.shared, cube);
    const asked = asking(classes, cube, set);
    while (asked.next()) {
      if (visit(asked.packet, asked.leaf, asked.again) === true) return leaves + asked.count() + 1;
      asked.walked();
      if (leaves + asked.count() > mostLeaves) throw new Error("too many classes to prove");
    }
    leaves += asked.count();
  }
  return leaves;
}

interface Asked {
  readonly packet: Packet;
  readonly leaf: () => Cube;
  readonly again: () => void;
  /** The next part that waits; false: there is none. */
  readonly next: () => boolean;
  readonly walked: () => void;
  readonly count: () => number;
}

function asking(classes: Classes, cube: Cube, all: number): Asked {
  const { shared, own } = classes.memory;
  const { d } = shared;
  const { family, carries, origin } = cube;
  const questions = shared.questions[family];
  const space = classes.spaces[family];
  const tables = classes.tables[family];
  const births = {
    here: shared.bornAs(family, carries, origin),
    any: shared.bornAs(family, carries, null),
    kind: shared.bornAs(family, carries, kindOf(origin)),
  };
  const every = shared.every(family, carries);
  let waiting: Waiting[] = all === 0 ? [] : [{ set: all, answers: [] }];
  let set = 0;
  let answers: number[] = [];
  let at = 0;
  /** The packet as a walk begins with it. */
  let start = unchanged;
  let changes = unchanged;
  let met: readonly { readonly what: string; readonly at: number }[] = [];
  let readTables = false;
  let count = 0;

  const decide = (question: number): boolean => {
    if (at < answers.length) return answers[at++] === 1;
    const yes = d.and(set, question);
    if (yes !== 0 && yes !== set) {
      waiting.push({ set: d.minus(set, question), answers: [...answers, 0] });
      set = yes;
    }
    answers.push(yes === 0 ? 0 : 1);
    at += 1;
    return yes !== 0;
  };
  /** One of several answers that leave no packet out. */
  const among = (sets: readonly number[]): number => {
    if (at < answers.length) return answers[at++] as number;
    let taken = -1;
    let kept = 0;
    for (const [place, one] of sets.entries()) {
      const part = d.and(set, one);
      if (part === 0) continue;
      if (taken < 0) {
        taken = place;
        kept = part;
      } else waiting.push({ set: part, answers: [...answers, place] });
    }
    if (taken < 0) throw new Error("no answer for any packet");
    set = kept;
    answers.push(taken);
    at += 1;
    return taken;
  };
  const covering = (side: "source" | "destination", table: number): readonly Route[] => {
    readTables = true;
    const group = tables.get(table);
    if (group === undefined) return [];
    const found = own.covering(family, side, group, classes);
    if (side === "source" && changes.source !== null) {
      const answer = space.answer(group, changes.source);
      return found.routes[found.answers.indexOf(answer)] ?? [];
    }
    return found.routes[among(found.sets)] as readonly Route[];
  };

  /** Every way `of` can go from here for the packets of `from`; sets and changes are said of the packet as it was born. */
  const sumUp = <T>(from: number, base: Changes, of: (packet: Packet) => T, name?: (value: T) => string): Outcome[] => {
    const outside = { waiting, set, answers, at, changes, met, start };
    const outcomes = gathering(shared, [], name && ((value) => name(value as T)));
    waiting = [{ set: from, answers: [] }];
    start = base;
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      begin(one);
      const value = of(packet);
      count += 1;
      outcomes.add({ value, changes, set, met });
    }
    ({ waiting, set, answers, at, changes, met, start } = outside);
    return outcomes.all;
  };
  /** What read a table holds for this machine, anything else for all of them. */
  const lastsAs = (): Memory => (readTables ? own : shared);
  /** What a part comes to, said of any packet that reaches it: remembered for all that reach it by other ways. */
  const recall = <T>(part: Part, of: (packet: Packet) => T, name?: (value: T) => string): readonly Outcome[] => {
    const key = births[part.born ?? "here"] * 64 + changes.choices;
    const told = part.like ?? part;
    const known = shared.recall(told, key) ?? own.recall(told, key);
    if (known !== undefined) {
      readTables ||= known.readTables;
      return known.outcomes;
    }
    const before = readTables;
    readTables = false;
    const outcomes = sumUp(every, { ...unchanged, choices: changes.choices }, of, name);
    (part.tables === "named" ? shared : lastsAs()).remember(told, key, { outcomes, readTables });
    readTables ||= before;
    return outcomes;
  };
  /** Of packets of a set that have come this far those that come to each outcome. */
  const reaching = (known: readonly Outcome[], from: number, base: Changes): Outcome[] => {
    const ends: Outcome[] = [];
    for (const outcome of known) {
      const some = d.and(from, here(outcome.set));
      if (some !== 0) ends.push({ ...outcome, changes: after(base, outcome.changes), set: some });
    }
    return ends;
  };
  /**
   * All that `parts` come to in order, of any packet: those for which one says nothing go on to the next. Rows that begin with
   * the same parts share what these come to.
   */
  const inOrder = <P extends Part, T>(
    parts: readonly P[],
    of: (part: P, packet: Packet) => T | undefined,
    name: ((value: T) => string) | undefined,
  ): readonly Outcome[] => {
    const named: Name | undefined = name && ((value) => (value === undefined ? "" : name(value as T)));
    const outside = changes;
    const before = readTables;
    const { choices } = changes;
    let row = shared.row(births.any * 64 + choices, () => ({
      ...{ ends: [], readTables: false, unnamed: false },
      open: [{ value: undefined, set: every, changes: { ...unchanged, choices }, met: [] }],
    }));
    for (const part of parts) {
      if (row.open.length === 0) break;
      const told = part.like ?? part;
      const key = births[part.born ?? "here"];
      let next: Row | undefined = shared.next(row, told, key) ?? own.next(row, told, key);
      if (next === undefined) {
        readTables = false;
        const say = (one: Outcome): readonly Outcome[] => {
          changes = one.changes;
          return reaching(
            recall(part, (asked) => of(part, asked), named),
            one.set,
            one.changes,
          );
        };
        const made = onward(row, say, named);
        next = { ...made, ...alsoRead(row, part) };
        (next.unnamed ? own : shared).keepNext(row, told, key, next);
      }
      row = next;
    }
    changes = outside;
    readTables = before || row.readTables;
    return [...row.ends, ...row.open];
  };
  const alsoRead = (row: Row, part: Part): Pick<Row, "readTables" | "unnamed"> => ({
    readTables: row.readTables || readTables,
    unnamed: row.unnamed || (readTables && part.tables !== "named"),
  });
  /** A row with one part more. */
  const onward = (row: Row, said: (one: Outcome) => readonly Outcome[], named: Name | undefined) => {
    const ends = gathering(shared, row.ends, named);
    const open = gathering(shared, [], named);
    for (const one of row.open)
      for (const outcome of said(one)) {
        const met = outcome.met.length === 0 ? one.met : [...one.met, ...outcome.met];
        // what changed the packet and said nothing is told apart from what did not
        (outcome.value === undefined ? open : ends).add({ ...outcome, met });
      }
    return { ends: ends.all, open: open.all };
  };
  /** Goes on with the packets of one outcome, and leaves those of the others waiting. */
  const oneOf = (outcomes: readonly Outcome[]): unknown => {
    const [first, ...others] = outcomes;
    if (first === undefined) throw new Error("no outcome for any packet");
    for (const outcome of others) waiting.push({ set: outcome.set, answers: [...answers, kept(outcome)] });
    set = first.set;
    answers.push(kept(first));
    at += 1;
    return take(first);
  };
  const taken = (): unknown => take(shared.outcomes[answers[at++] as number] as Outcome);
  const kept = (outcome: Outcome): number => shared.outcomes.push(outcome) - 1;
  const take = (outcome: Outcome): unknown => {
    changes = outcome.changes;
    if (outcome.met.length > 0) met = [...met, ...outcome.met];
    return outcome.value;
  };

  const packet: Packet = {
    family,
    carries,
    origin,
    destinationAddress: null,
    mark(mask, value) {
      const { markMask, markValue } = changes;
      if (((markValue ^ value) & mask & markMask) !== 0) return false;
      const open = (mask & ~markMask) >>> 0;
      return open === 0 || decide(questions.mark(open, (value & open) >>> 0));
    },
    source(one) {
      if (changes.source === null) return decide(questions.member("source", one, classes));
      return questions.isMember(changes.source, one, classes);
    },
    destination: (one) => decide(questions.member("destination", one, classes)),
    protocol: (from, to) => decide(questions.range("protocol", from, to)),
    sport: (from, to) => decide(questions.port("sport", from, to)),
    dport: (from, to) => decide(questions.port("dport", from, to)),
    uid: (from, to) => decide(questions.range("uid", from, to)),
    icmpType: (from, to) => decide(questions.range("icmpType", from, to)),
    hops: (value) => decide(questions.range("hops", value, value)),
    ethertype: (type) => decide(questions.range("ethertype", type, type)),
    ct: (states) => decide(questions.ct(states)),
    // without first: the plainest packet is walked first
    flag: (flag) => !decide(questions.without(flag)),
    covering: (table) => covering("destination", table),
    tables: classes.number,
    laid: (table) => {
      const group = tables.get(table);
      return group === undefined ? noRoutes : shared.laid(family, group, classes);
    },
    coveringSource: (table) => covering("source", table),
    choose(what, options) {
      const place = changes.choices;
      changes = { ...changes, choices: place + 1 };
      met = [...met, { what, at: place }];
      return options[among(questions.options(place, options.length))] ?? options[0];
    },
    summed<T>(part: Part, of: (packet: Packet) => T, name?: (value: T) => string): T {
      const known = at < answers.length;
      return (known ? taken() : oneOf(reaching(recall(part, of, name), set, changes))) as T;
    },
    firstOf<P extends Part, T>(
      parts: readonly P[],
      of: (part: P, packet: Packet) => T | undefined,
      name?: (value: T) => string,
    ): T | undefined {
      const known = at < answers.length;
      return (known ? taken() : oneOf(reaching(inOrder(parts, of, name), set, changes))) as T | undefined;
    },
    setMark(mask, value) {
      const { markMask, markValue } = changes;
      changes = {
        ...changes,
        markMask: (markMask | mask) >>> 0,
        markValue: ((markValue & ~mask) | (value & mask)) >>> 0,
      };
    },
    setSource(address) {
      changes = { ...changes, source: space.locate(address) };
    },
  };

  /** A set said of the packet as it is by now, said of the packet as it was born. */
  const here = (one: number): number => {
    const { markMask, markValue, source } = changes;
    let seen = one;
    if (markMask !== 0) seen = shared.withMark(seen, markMask, markValue);
    return source === null ? seen : shared.withSource(family, seen, source);
  };
  const begin = (one: Waiting): void => {
    set = one.set;
    answers = [...one.answers];
    at = 0;
    changes = start;
    met = [];
  };
  const leaf = (): Cube => ({
    ...cube,
    within: set,
    choices: met.map(({ what, at: place }) => ({ what, first: place })),
  });
  return {
    packet,
    leaf,
    again: () => (changes = unchanged),
    next() {
      const one = waiting.pop();
      if (one === undefined) return false;
      begin(one);
      return true;
    },
    walked: () => (count += 1),
    count: () => count,
  };
}

/** Values of one name are the same. */
type Name = (value: unknown) => string;

/** Ends that are the same, those there were before included, are one. */
function gathering(memory: Memory, before: readonly Outcome[], name: Name | undefined) {
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
    twin.set = memory.d.or(twin.set, end.set);
    if (end.met.length > 0) twin.met = [...twin.met, ...end.met];
  };
  for (const end of before) add({ ...end });
  return { all, add };
}

const noRoutes: readonly Route[] = [];

const kindOf = (origin: Origin): Origin =>
  origin.kind === "socket" ? { ...origin, device: null, source: "set" } : { ...origin, device: "any" };

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
