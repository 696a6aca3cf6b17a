// How sets of packets are walked. A set is a diagram; a question is one, too, and splits it: the walk goes on with the
// packets that answer yes, the others wait with the answers given so far and take them again, without looking, when their
// turn comes. Whole parts of the way (a hook, a table's answer, what the policy wants of a packet) are summed up once for
// all packets: which of them come to which end. After that they are one question with a few answers.
import type { Classes, Cube, Visit } from "./classes.ts";
import { diagramOf, everyPacket, type Memory, type Outcome } from "./memory.ts";
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
    const outcomes = gathering(shared);
    waiting = [{ set: from, answers: [] }];
    start = base;
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      begin(one);
      const value = of(packet);
      count += 1;
      outcomes.add(value, name === undefined ? value : name(value), changes, set, met);
    }
    ({ waiting, set, answers, at, changes, met, start } = outside);
    return outcomes.all;
  };
  /** What read a table holds for this machine, anything else for all of them. */
  const lastsAs = (): Memory => (readTables ? own : shared);
  /**
   * What a part comes to, said of any packet that reaches it; undefined: walk it for the packets at hand. Many parts are met
   * once, by few packets: only what is met again is summed up for all.
   */
  const recall = <T>(part: Part, of: (packet: Packet) => T, name?: (value: T) => string): Outcome[] | undefined => {
    const key = births[part.born ?? "here"] * 64 + changes.choices;
    const told = part.like ?? part;
    const known = shared.recall(told, key) ?? own.recall(told, key);
    if (known !== undefined) {
      readTables ||= known.readTables;
      return known.outcomes;
    }
    if (shared.isNew(told, key)) return undefined;
    const before = readTables;
    readTables = false;
    const outcomes = sumUp(everyPacket(shared, family, carries), { ...unchanged, choices: changes.choices }, of, name);
    (part.tables === "named" ? shared : lastsAs()).remember(told, key, { outcomes, readTables });
    readTables ||= before;
    return outcomes;
  };
  /** The same for packets of a set that have come this far. */
  const endsOf = <T>(
    from: number,
    base: Changes,
    part: Part,
    of: (packet: Packet) => T,
    name?: (value: T) => string,
  ): readonly Outcome[] => {
    const known = recall(part, of, name);
    if (known === undefined) return sumUp(from, base, of, name);
    const ends: Outcome[] = [];
    for (const outcome of known) {
      const some = d.and(from, here(outcome.set));
      if (some !== 0) ends.push({ ...outcome, changes: after(base, outcome.changes), set: some });
    }
    return ends;
  };
  /** All that `parts` come to in order, for the packets there are: those for which one says nothing go on to the next. */
  const inOrder = <P extends Part, T>(
    parts: readonly P[],
    of: (part: P, packet: Packet) => T | undefined,
    name: ((value: T) => string) | undefined,
  ): Outcome[] => {
    const outside = changes;
    const named = name && ((value: T | undefined) => (value === undefined ? "" : name(value)));
    const ends = gathering(shared);
    // what changed the packet and said nothing is told apart from what did not
    let open: { set: number; changes: Changes; met: Outcome["met"] }[] = [{ set, changes, met: [] }];
    for (const part of parts) {
      const next: typeof open = [];
      for (const one of open) {
        changes = one.changes;
        for (const outcome of endsOf(one.set, one.changes, part, (asked) => of(part, asked), named)) {
          const whats = outcome.met.length === 0 ? one.met : [...one.met, ...outcome.met];
          if (outcome.value !== undefined) {
            ends.add(outcome.value, named?.(outcome.value as T) ?? outcome.value, outcome.changes, outcome.set, whats);
            continue;
          }
          const same = next.find((o) => alike(o.changes, outcome.changes));
          if (same === undefined) next.push({ set: outcome.set, changes: outcome.changes, met: whats });
          else {
            same.set = d.or(same.set, outcome.set);
            same.met = [...same.met, ...whats];
          }
        }
      }
      open = next;
      if (open.length === 0) break;
    }
    for (const one of open) ends.add(undefined, named?.(undefined), one.changes, one.set, one.met);
    changes = outside;
    return ends.all;
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
      return (known ? taken() : oneOf(endsOf(set, changes, part, of, name))) as T;
    },
    firstOf<P extends Part, T>(
      parts: readonly P[],
      of: (part: P, packet: Packet) => T | undefined,
      name?: (value: T) => string,
    ): T | undefined {
      const known = at < answers.length;
      return (known ? taken() : oneOf(inOrder(parts, of, name))) as T | undefined;
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

/** Ends that are the same are one. */
function gathering(memory: Memory) {
  const all: Outcome[] = [];
  const found = new Map<unknown, Outcome[]>();
  return {
    all,
    add(value: unknown, key: unknown, changes: Changes, set: number, met: Outcome["met"]): void {
      let same = found.get(key);
      if (same === undefined) found.set(key, (same = []));
      const twin = same.find((o) => alike(o.changes, changes));
      if (twin === undefined) {
        const made = { value, changes, met, set };
        same.push(made);
        all.push(made);
        return;
      }
      twin.set = memory.d.or(twin.set, set);
      if (met.length > 0) twin.met = [...twin.met, ...met];
    },
  };
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
