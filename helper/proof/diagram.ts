// Sets of packets as ordered binary decision diagrams (Bryant 1986): a node asks one bit and has two ways on, equal nodes
// are one, so two sets are the same set exactly when their numbers are equal. What rules of a firewall leave over, "all but
// this address with that port", stays one small diagram, where a list of boxes would fall apart into many.
//
// A set is the number of its top node; 0 is no packet, 1 is every packet. Nodes live in typed arrays and are never freed:
// a proof is made and forgotten.

export interface Diagrams {
  /** The set that asks `variable` first: `low` where the bit is 0. Variables of both must come later. */
  readonly node: (variable: number, low: number, high: number) => number;
  readonly and: (a: number, b: number) => number;
  readonly or: (a: number, b: number) => number;
  /** What is in `a` and not in `b`. */
  readonly minus: (a: number, b: number) => number;
  /** The set as it looks where the variables from `from` on, below `to`, are as `bit` says (null: as they are). */
  readonly assign: (set: number, from: number, to: number, bit: (variable: number) => 0 | 1 | null) => number;
  /** The set without asking the variables from `from` on, below `to`: what is in it for some of their values. */
  readonly forget: (set: number, from: number, to: number) => number;
  readonly holds: (set: number, bit: (variable: number) => boolean) => boolean;
  /** The variables that are 1 in one member, those that matter not left out; undefined for the empty set. */
  readonly member: (set: number) => ReadonlySet<number> | undefined;
}

const last = 0x7fff_ffff;
const opAnd = 0;
const opOr = 1;
const opMinus = 2;
type Op = typeof opAnd | typeof opOr | typeof opMinus;
/** Answers kept of earlier operations; one that is overwritten is worked out again. */
const cacheSize = 1 << 15;

export function diagrams(): Diagrams {
  let capacity = 1 << 14;
  let count = 2;
  let variables = new Int32Array(capacity).fill(last, 0, 2);
  let lows = new Int32Array(capacity);
  let highs = new Int32Array(capacity);
  let chained = new Int32Array(capacity);
  let buckets = new Int32Array(capacity);
  const cacheA = new Int32Array(cacheSize);
  const cacheB = new Int32Array(cacheSize);
  const cached = new Int32Array(cacheSize);

  const slot = (variable: number, low: number, high: number): number =>
    (Math.imul(variable, 0x9e37_79b1) ^ Math.imul(low, 0x85eb_ca6b) ^ Math.imul(high, 0xc2b2_ae35)) >>> 8;

  function node(variable: number, low: number, high: number): number {
    if (low === high) return low;
    let at = slot(variable, low, high) & (capacity - 1);
    for (let n = buckets[at] as number; n !== 0; n = chained[n] as number)
      if (variables[n] === variable && lows[n] === low && highs[n] === high) return n;
    if (count === capacity) {
      grow();
      at = slot(variable, low, high) & (capacity - 1);
    }
    const made = count++;
    variables[made] = variable;
    lows[made] = low;
    highs[made] = high;
    chained[made] = buckets[at] as number;
    buckets[at] = made;
    return made;
  }

  function grow(): void {
    capacity *= 2;
    const longer = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const made = new Int32Array(capacity);
      made.set(old);
      return made;
    };
    variables = longer(variables);
    lows = longer(lows);
    highs = longer(highs);
    chained = new Int32Array(capacity);
    buckets = new Int32Array(capacity);
    for (let n = 2; n < count; n++) {
      const at = slot(variables[n] as number, lows[n] as number, highs[n] as number) & (capacity - 1);
      chained[n] = buckets[at] as number;
      buckets[at] = n;
    }
  }

  function apply(op: Op, a: number, b: number): number {
    if (op === opAnd) {
      if (a === b || b === 1) return a;
      if (a === 1) return b;
      if (a === 0 || b === 0) return 0;
    } else if (op === opOr) {
      if (a === b || b === 0) return a;
      if (a === 0) return b;
      if (a === 1 || b === 1) return 1;
    } else {
      if (a === 0 || b === 1 || a === b) return 0;
      if (b === 0) return a;
    }
    if (op !== opMinus && a > b) return apply(op, b, a);
    const at = ((Math.imul(a, 0x9e37_79b1) ^ Math.imul(b, 0x85eb_ca6b) ^ op) >>> 6) & (cacheSize - 1);
    const key = a * 4 + op;
    // b is never 0 here, so an empty place of the cache is none of ours
    if (cacheA[at] === key && cacheB[at] === b) return cached[at] as number;
    const va = variables[a] as number;
    const vb = variables[b] as number;
    const v = va < vb ? va : vb;
    const low = apply(op, va === v ? (lows[a] as number) : a, vb === v ? (lows[b] as number) : b);
    const high = apply(op, va === v ? (highs[a] as number) : a, vb === v ? (highs[b] as number) : b);
    const made = node(v, low, high);
    cacheA[at] = key;
    cacheB[at] = b;
    cached[at] = made;
    return made;
  }

  function assign(set: number, from: number, to: number, bit: (variable: number) => 0 | 1 | null): number {
    const done = new Map<number, number>();
    const go = (n: number): number => {
      const v = variables[n] as number;
      if (v >= to) return n;
      const known = done.get(n);
      if (known !== undefined) return known;
      const way = v < from ? null : bit(v);
      const [low, high] = [lows[n] as number, highs[n] as number];
      const made = way === null ? node(v, go(low), go(high)) : go(way === 1 ? high : low);
      done.set(n, made);
      return made;
    };
    return go(set);
  }

  function forget(set: number, from: number, to: number): number {
    const done = new Map<number, number>();
    const go = (n: number): number => {
      const v = variables[n] as number;
      if (v >= to) return n;
      const known = done.get(n);
      if (known !== undefined) return known;
      const low = go(lows[n] as number);
      const high = go(highs[n] as number);
      const made = v < from ? node(v, low, high) : apply(opOr, low, high);
      done.set(n, made);
      return made;
    };
    return go(set);
  }

  return {
    node,
    and: (a, b) => apply(opAnd, a, b),
    or: (a, b) => apply(opOr, a, b),
    minus: (a, b) => apply(opMinus, a, b),
    assign,
    forget,
    holds(set, bit) {
      let at = set;
      while (at > 1) at = (bit(variables[at] as number) ? highs[at] : lows[at]) as number;
      return at === 1;
    },
    member(set) {
      if (set === 0) return undefined;
      const ones = new Set<number>();
      for (let at = set; at > 1;) {
        const low = lows[at] as number;
        if (low === 0) ones.add(variables[at] as number);
        at = low === 0 ? (highs[at] as number) : low;
      }
      return ones;
    },
  };
}
