// What is found out about sets of packets and asked again: questions as diagrams, and how whole parts of the way end.
import type { Family } from "../contract/prefix.ts";
import type { Classes, Cube } from "./classes.ts";
import { diagrams, type Diagrams } from "./diagram.ts";
import {
  between,
  choiceAt,
  choicesFrom,
  ethertypes,
  fields,
  flagAt,
  inStates,
  marked,
  span,
  these,
  withPorts,
  type Field,
} from "./fields.ts";
import type { Route } from "./machine.ts";
import type { Carries, Flag, Origin, PrefixSet } from "./packet.ts";
import type { Space } from "./prefixes.ts";

/** One way in which a part of the way ends, and for which packets, as they were before it. */
export interface Outcome {
  readonly value: unknown;
  readonly changes: {
    readonly markMask: number;
    readonly markValue: number;
    readonly source: number | null;
    readonly choices: number;
  };
  met: readonly { readonly what: string; readonly at: number }[];
  set: number;
}

interface Summary {
  readonly outcomes: Outcome[];
  /** Whether it depends on what a table holds. */
  readonly readTables: boolean;
}

/** What the first parts of a row come to: ends, and the packets of which they said nothing. */
export interface Row {
  readonly ends: readonly Outcome[];
  readonly open: readonly Outcome[];
  readonly readTables: boolean;
  /** Some part read a table that its stand-in does not name. */
  readonly unnamed: boolean;
}

/** The answers of a table: for each the classes that get it, and the routes that cover them. */
interface Covering {
  readonly answers: readonly number[];
  readonly sets: readonly number[];
  readonly routes: readonly (readonly Route[])[];
}

export interface Memory {
  readonly d: Diagrams;
  readonly spaces: Readonly<Record<Family, Space>>;
  readonly questions: Readonly<Record<Family, Questions>>;
  readonly outcomes: Outcome[];
  /** A number for packets of this birth; `origin` null: whatever it is. */
  readonly bornAs: (family: Family, carries: Carries, origin: Origin | null) => number;
  /** All packets of a family that carry this. */
  readonly every: (family: Family, carries: Carries) => number;
  /** The row without parts. */
  readonly row: (key: number, make: () => Row) => Row;
  /** A row with one part more. */
  readonly next: (row: Row, part: object, key: number) => Row | undefined;
  readonly keepNext: (row: Row, part: object, key: number, next: Row) => void;
  readonly recall: (part: object, key: number) => Summary | undefined;
  readonly remember: (part: object, key: number, summary: Summary) => void;
  readonly covering: (family: Family, side: "source" | "destination", group: number, classes: Classes) => Covering;
  /** The kinds of routes in a table of this group, always the same list. */
  readonly laid: (family: Family, group: number, classes: Classes) => readonly Route[];
  readonly withMark: (set: number, mask: number, value: number) => number;
  readonly withSource: (family: Family, set: number, cls: number) => number;
}

export interface Questions {
  readonly range: (field: Field, from: number, to: number) => number;
  readonly port: (field: "sport" | "dport", from: number, to: number) => number;
  readonly mark: (mask: number, value: number) => number;
  readonly ct: (states: number) => number;
  readonly without: (flag: Flag) => number;
  readonly member: (side: "source" | "destination", set: PrefixSet, classes: Classes) => number;
  readonly isMember: (cls: number, set: PrefixSet, classes: Classes) => boolean;
  /** The options of the n-th choice; the last of them takes what is left. */
  readonly options: (n: number, count: number) => readonly number[];
}

/** `shared` gives what does not depend on tables. */
export function memory(spaces: Readonly<Record<Family, Space>>, shared?: Memory): Memory {
  const d = shared?.d ?? diagrams();
  const parts = new Map<object, Map<number, Summary>>();
  const everyone = new Map<string, number>();
  const rows = new Map<number, Row>();
  const onward = new Map<Row, Map<object, Map<number, Row>>>();
  const coverings = new Map<string, Covering>();
  const lists = new Map<string, readonly Route[]>();
  const births = new Map<string, number>();
  const origins = new Map<Origin | null, string>();
  const changed = new Map<string, number>();
  const kept = (key: string, make: () => number): number => {
    const known = changed.get(key);
    if (known !== undefined) return known;
    const made = make();
    changed.set(key, made);
    return made;
  };
  return {
    d,
    spaces,
    questions: shared?.questions ?? { 4: questionsOf(d, spaces[4]), 6: questionsOf(d, spaces[6]) },
    outcomes: shared?.outcomes ?? [],
    bornAs(family, carries, origin) {
      let told = origins.get(origin);
      if (told === undefined) origins.set(origin, (told = JSON.stringify(origin)));
      const key = `${family} ${carries} ${told}`;
      const known = births.get(key);
      if (known !== undefined) return known;
      births.set(key, births.size);
      return births.size - 1;
    },
    every(family, carries) {
      const key = `${family} ${carries}`;
      const known = everyone.get(key);
      if (known !== undefined) return known;
      const made = everyPacket(this, family, carries);
      everyone.set(key, made);
      return made;
    },
    row(key, make) {
      const known = rows.get(key) ?? make();
      rows.set(key, known);
      return known;
    },
    next: (row, part, key) => onward.get(row)?.get(part)?.get(key),
    keepNext(row, part, key, next) {
      let from = onward.get(row);
      if (from === undefined) onward.set(row, (from = new Map<object, Map<number, Row>>()));
      const known = from.get(part);
      if (known === undefined) from.set(part, new Map([[key, next]]));
      else known.set(key, next);
    },
    recall: (part, key) => parts.get(part)?.get(key),
    remember(part, key, summary) {
      const known = parts.get(part);
      if (known === undefined) parts.set(part, new Map([[key, summary]]));
      else known.set(key, summary);
    },
    covering(family, side, group, { routes }) {
      const key = `${family} ${side} ${group}`;
      const known = coverings.get(key);
      if (known) return known;
      const space = spaces[family];
      const answers = [...space.answers(group).keys()];
      const made: Covering = {
        answers,
        sets: answers.map((answer) =>
          these(d, span(side), space.classes, (cls) => space.answer(group, cls) === answer),
        ),
        routes: answers.map((answer) => space.chain(answer).map((kind) => routes[kind] as Route)),
      };
      coverings.set(key, made);
      return made;
    },
    laid(family, group, { routes }) {
      const key = `${family} ${group}`;
      const known = lists.get(key);
      if (known) return known;
      const space = spaces[family];
      const kinds = new Set([...space.answers(group).keys()].flatMap((answer) => space.chain(answer)));
      const made = [...kinds].map((kind) => routes[kind] as Route);
      lists.set(key, made);
      return made;
    },
    withMark: (set, mask, value) =>
      kept(`${set} ${mask} ${value}`, () => {
        const [from, end] = span("mark");
        return d.assign(set, from, end, (variable) => {
          const bit = 1 << (end - 1 - variable);
          if ((mask & bit) === 0) return null;
          return (value & bit) === 0 ? 0 : 1;
        });
      }),
    withSource: (family, set, cls) =>
      kept(`${family} ${set} from ${cls}`, () => {
        const [from, end] = span("source");
        return d.assign(set, from, end, (variable) => (((cls >> (end - 1 - variable)) & 1) === 0 ? 0 : 1));
      }),
  };
}

function questionsOf(d: Diagrams, space: Space): Questions {
  const numbers = new Map<string, number>();
  const ports = withPorts(d);
  const kept = (key: string, make: () => number): number => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const made = make();
    numbers.set(key, made);
    return made;
  };
  const range = (field: Field, from: number, to: number): number =>
    kept(`${field} ${from} ${to}`, () => between(d, span(field), from, to));
  const members = { source: new Map<PrefixSet, number>(), destination: new Map<PrefixSet, number>() };
  const groupOf = ({ groups }: Classes, set: PrefixSet): number => {
    const group = groups[space.family].get(set.key);
    // a question nobody prepared would be answered by chance
    if (group === undefined) throw new Error(`not among the classes: ${set.key}`);
    return group;
  };
  const choices: (readonly number[])[][] = [];
  return {
    range,
    port: (field, from, to) => kept(`${field}s ${from} ${to}`, () => d.and(ports, range(field, from, to))),
    mark: (mask, value) => kept(`marked ${mask} ${value}`, () => marked(d, mask, value)),
    ct: (states) => kept(`ct ${states}`, () => inStates(d, states)),
    without: (flag) => kept(flag, () => d.node(flagAt(flag), 1, 0)),
    member(side, set, classes) {
      const known = members[side].get(set);
      if (known !== undefined) return known;
      const group = groupOf(classes, set);
      const made = kept(`${side} ${group}`, () =>
        these(d, span(side), space.classes, (cls) => space.answer(group, cls) === 1),
      );
      members[side].set(set, made);
      return made;
    },
    isMember: (cls, set, classes) => space.answer(groupOf(classes, set), cls) === 1,
    options(n, count) {
      const known = (choices[n] ??= [])[count];
      if (known) return known;
      const at = choiceAt(n);
      const all = Array.from({ length: count }, (_, i) => between(d, at, i, i === count - 1 ? 1023 : i));
      choices[n][count] = all;
      return all;
    },
  };
}

/** All packets of a family that carry this, whatever they ask; the source and destination are of some class. */
function everyPacket({ d, spaces, questions }: Memory, family: Family, carries: Carries): number {
  const { classes } = spaces[family];
  const { range } = questions[family];
  const ranges = (field: Field, pairs: readonly number[]): number =>
    pairs.reduce((set, from, i) => (i % 2 === 1 ? set : d.or(set, range(field, from, pairs[i + 1] ?? from))), 0);
  return [
    these(d, span("destination"), classes, () => true),
    these(d, span("source"), classes, () => true),
    range("ct", 0, 6),
    range("uid", 0, 0xffff_fffe),
    ranges("ethertype", ethertypes(family, carries)),
  ].reduce((set, one) => d.and(set, one));
}

/** The packets of a cube. */
export function diagramOf(memory: Memory, cube: Cube): number {
  const { d, spaces } = memory;
  const { family, flags, mark, within } = cube;
  const questions = memory.questions[family];
  const { classes, all } = spaces[family];
  let set = within ?? memory.every(family, cube.carries);
  for (const side of ["source", "destination"] as const)
    if (cube[side] !== all)
      set = d.and(
        set,
        these(d, span(side), classes, (cls) => ((cube[side] >> BigInt(cls)) & 1n) === 1n),
      );
  for (const field of fields) {
    if (field === "source" || field === "destination" || field === "ct" || field === "mark") continue;
    const pairs = cube[field];
    if (pairs.length === 2 && pairs[0] === 0 && (pairs[1] ?? 0) >= 2 ** (span(field)[1] - span(field)[0]) - 2) continue;
    let some = 0;
    for (let i = 0; i < pairs.length; i += 2)
      some = d.or(some, questions.range(field, pairs[i] ?? 0, pairs[i + 1] ?? 0));
    set = d.and(set, some);
  }
  set = d.and(set, questions.ct(cube.ct));
  set = d.and(set, questions.mark(mark.mask, mark.value));
  for (const no of mark.not) set = d.minus(set, questions.mark(no.mask, no.value));
  for (const { flag, set: is } of flags)
    set = is ? d.minus(set, questions.without(flag)) : d.and(set, questions.without(flag));
  return set;
}

/** The same packets, whatever they choose on their way. */
export function choosing(memory: Memory, cube: Cube): Cube {
  if (cube.within === undefined) return { ...cube, choices: [] };
  return { ...cube, choices: [], within: memory.d.forget(cube.within, choicesFrom, 0x7fff_ffff) };
}

/** The packets of a cube that carry one of these marks. */
export function ofMarks({ by, memory: { shared } }: Classes, cube: Cube, marks: readonly number[]): Cube[] {
  if (by === "cubes") return marks.map((value) => ({ ...cube, mark: { mask: 0xffff_ffff, value, not: [] } }));
  const { d } = shared;
  const { mark } = shared.questions[cube.family];
  const some = marks.reduce((set, value) => d.or(set, mark(0xffff_ffff, value)), 0);
  return [{ ...cube, within: d.and(diagramOf(shared, cube), some) }];
}

/** The same packets from any source. */
export function fromAnywhere(memory: Memory, cube: Cube): Cube {
  const { all, classes } = memory.spaces[cube.family];
  if (cube.within === undefined) return { ...cube, source: all };
  const set = memory.d.forget(cube.within, ...span("source"));
  const sources = these(memory.d, span("source"), classes, () => true);
  return { ...cube, source: all, within: memory.d.and(set, sources) };
}
