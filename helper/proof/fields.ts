// Where each field of a packet stands among the variables of a diagram, the highest bit first, and the sets that questions
// about fields are. What is asked most stands on top: a question changes the nodes above it and shares all below.
import type { Family } from "../contract/prefix.ts";
import type { Diagrams } from "./diagram.ts";
import { anyCt, portsOf, type Carries, type Flag } from "./packet.ts";

/** Fields that are numbers; an address is the number of its class, ct the place of its bit. */
const bits = {
  destination: 24,
  protocol: 8,
  dport: 16,
  sport: 16,
  ct: 3,
  icmpType: 8,
  hops: 8,
  mark: 32,
  source: 24,
  ethertype: 16,
  uid: 32,
} as const;
export type Field = keyof typeof bits;

export const fields = Object.keys(bits) as readonly Field[];

const places: Readonly<Record<Field, number>> = (() => {
  let at = 0;
  const all: Partial<Record<Field, number>> = {};
  for (const field of fields) {
    all[field] = at;
    at += bits[field];
  }
  return all as Record<Field, number>;
})();
const plainFlags: readonly Flag[] = ["lsrr", "ssrr", "routing-header", "later-fragment", "header-included"];
const firstFlag = fields.reduce((sum, field) => sum + bits[field], 0);
/** tos is eight bits, each value a flag of its own. */
const flagCount = plainFlags.length + 256;
const firstChoice = firstFlag + flagCount;
/** Options of one choice: legs, devices. */
const choiceBits = 10;

export const span = (field: Field): readonly [number, number] => [places[field], places[field] + bits[field]];

export function flagAt(flag: Flag): number {
  const place = plainFlags.indexOf(flag);
  return firstFlag + (place < 0 ? plainFlags.length + Number(flag.slice("tos-".length)) : place);
}

/** Choices stand below all that is a packet's own: from here on. */
export const choicesFrom = firstChoice;

/** The n-th choice made on the way. */
export const choiceAt = (n: number): readonly [number, number] => [
  firstChoice + n * choiceBits,
  firstChoice + (n + 1) * choiceBits,
];

/** Numbers from `from` to `to` in the variables of a span. */
export function between({ node }: Diagrams, [at, end]: readonly [number, number], from: number, to: number): number {
  const width = end - at;
  const part = (level: number, low: number): number => {
    const high = low + 2 ** (width - level) - 1;
    if (from <= low && high <= to) return 1;
    if (high < from || low > to) return 0;
    const half = 2 ** (width - level - 1);
    return node(at + level, part(level + 1, low), part(level + 1, low + half));
  };
  return part(0, 0);
}

/** Numbers below `count` that `holds` says yes to: classes of addresses. Bits that none of them has are not asked. */
export function these(
  { node }: Diagrams,
  [, end]: readonly [number, number],
  count: number,
  holds: (n: number) => boolean,
): number {
  const used = Math.max(1, Math.ceil(Math.log2(Math.max(count, 2))));
  const part = (level: number, low: number): number => {
    if (low >= count) return 0;
    if (level === used) return holds(low) ? 1 : 0;
    return node(end - used + level, part(level + 1, low), part(level + 1, low + 2 ** (used - level - 1)));
  };
  return part(0, 0);
}

/** Marks with this value under the mask. */
export function marked({ node }: Diagrams, mask: number, value: number): number {
  let set = 1;
  const [at, end] = span("mark");
  for (let variable = end - 1; variable >= at; variable--) {
    const bit = 1 << (end - 1 - variable);
    if ((mask & bit) !== 0) set = (value & bit) !== 0 ? node(variable, 0, set) : node(variable, set, 0);
  }
  return set;
}

/** Conntrack's views of these bits, each by its place. */
export function inStates(d: Diagrams, states: number): number {
  return these(d, span("ct"), 7, (place) => ((states & anyCt) >> place) % 2 === 1);
}

/** Packets that show ports at all. */
export function withPorts(d: Diagrams): number {
  return portsOf.reduce((set, protocol) => d.or(set, between(d, span("protocol"), protocol, protocol)), 0);
}

export function ethertypes(family: Family, carries: Carries): readonly number[] {
  if (carries === "ip") return family === 4 ? [0x0800, 0x0800] : [0x86dd, 0x86dd];
  if (carries === "arp") return [0x0806, 0x0806];
  return [0, 0x07ff, 0x0801, 0x0805, 0x0807, 0x86dc, 0x86de, 65535];
}

/** The variables of one packet: which of them are 1. The first option of every choice is taken. */
export function variablesOf(
  values: Readonly<Record<Field, number>>,
  flags: readonly Flag[],
): (variable: number) => boolean {
  const set = new Set(flags.map(flagAt));
  return (variable) => {
    if (variable >= firstChoice) return false;
    if (variable >= firstFlag) return set.has(variable);
    const field = fields.find((name) => variable < places[name] + bits[name]) ?? "uid";
    const up = places[field] + bits[field] - 1 - variable;
    return Math.floor(values[field] / 2 ** up) % 2 === 1;
  };
}

/** The number that a member has in a span. */
export function numberIn(ones: ReadonlySet<number>, [at, end]: readonly [number, number]): number {
  let number = 0;
  for (let variable = at; variable < end; variable++) number = number * 2 + (ones.has(variable) ? 1 : 0);
  return number;
}

/** Every flag there can be. */
export const flagsThereAre: readonly Flag[] = [
  ...plainFlags,
  ...Array.from({ length: flagCount - plainFlags.length }, (_, tos): Flag => `tos-${tos}`),
];
