// How sets of packets are walked: the walk asks a packet that stands for a set, and the set splits where its members do not
// answer alike (walker.ts). Whole parts of the way are summed up once for all packets (sums.ts).
import type { Classes, Cube, Visit } from "./classes.ts";
import { diagramOf } from "./memory.ts";
import type { Route } from "./machine.ts";
import type { Packet } from "./packet.ts";
import { firstOf, summed } from "./sums.ts";
import { among, covering, decide, next, unchanged, walkerOf, type Walker } from "./walker.ts";

/** Above this the answer would not come in time; not proven then, never "proven so far". */
const mostLeaves = 2_000_000;

export function exploreDiagrams(classes: Classes, start: readonly Cube[], visit: Visit): number {
  let leaves = 0;
  for (const cube of [...start].reverse()) {
    const walker = walkerOf(classes, cube, diagramOf(classes.memory.shared, cube));
    const packet = packetOf(walker);
    const { now } = walker;
    const leaf = (): Cube => ({
      ...cube,
      within: now.set,
      choices: now.met.map(({ what, at: first }) => ({ what, first })),
    });
    const again = (): void => {
      now.changes = unchanged;
    };
    while (next(walker)) {
      if (visit(packet, leaf, again) === true) return leaves + now.count + 1;
      now.count += 1;
      if (leaves + now.count > mostLeaves) throw new Error("too many classes to prove");
    }
    leaves += now.count;
  }
  return leaves;
}

function packetOf(walker: Walker): Packet {
  const { classes, cube, now } = walker;
  const { family } = cube;
  const { shared } = classes.memory;
  const questions = shared.questions[family];
  const ask = (question: number): boolean => decide(walker, question);
  const packet: Packet = {
    family,
    carries: cube.carries,
    origin: cube.origin,
    destinationAddress: null,
    mark(mask, value) {
      const { markMask, markValue } = now.changes;
      if (((markValue ^ value) & mask & markMask) !== 0) return false;
      const open = (mask & ~markMask) >>> 0;
      return open === 0 || ask(questions.mark(open, (value & open) >>> 0));
    },
    source(one) {
      const { source } = now.changes;
      return source === null ? ask(questions.member("source", one, classes)) : questions.isMember(source, one, classes);
    },
    destination: (one) => ask(questions.member("destination", one, classes)),
    protocol: (from, to) => ask(questions.range("protocol", from, to)),
    sport: (from, to) => ask(questions.port("sport", from, to)),
    dport: (from, to) => ask(questions.port("dport", from, to)),
    uid: (from, to) => ask(questions.range("uid", from, to)),
    icmpType: (from, to) => ask(questions.range("icmpType", from, to)),
    hops: (value) => ask(questions.range("hops", value, value)),
    ethertype: (type) => ask(questions.range("ethertype", type, type)),
    ct: (states) => ask(questions.ct(states)),
    // without first: the plainest packet is walked first
    flag: (flag) => !ask(questions.without(flag)),
    covering: (table) => covering(walker, "destination", table),
    coveringSource: (table) => covering(walker, "source", table),
    tables: classes.number,
    laid(table) {
      const group = classes.tables[family].get(table);
      return group === undefined ? noRoutes : shared.laid(family, group, classes);
    },
    choose(what, options) {
      const place = now.changes.choices;
      now.changes = { ...now.changes, choices: place + 1 };
      now.met = [...now.met, { what, at: place }];
      return options[among(walker, questions.options(place, options.length))] ?? options[0];
    },
    summed: (part, of, name) => summed(walker, packet, part, of, name),
    firstOf: (parts, of, name) => firstOf(walker, packet, parts, of, name),
    setMark(mask, value) {
      const { markMask, markValue } = now.changes;
      now.changes = {
        ...now.changes,
        markMask: (markMask | mask) >>> 0,
        markValue: ((markValue & ~mask) | (value & mask)) >>> 0,
      };
    },
    setSource(address) {
      now.changes = { ...now.changes, source: classes.spaces[family].locate(address) };
    },
  };
  return packet;
}

const noRoutes: readonly Route[] = [];
