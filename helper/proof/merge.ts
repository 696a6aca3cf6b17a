// All questions about addresses laid over one another: where any of them changes, an interval begins. The answers of all
// together are one number, exactly: a tree whose leaves are the questions' answers and whose inner nodes give each pair of
// children a number of its own. A change costs the depth of its leaf, so questions that change often sit high.
import type { Family } from "../contract/prefix.ts";
import { compareWords, wordsOf, type Intervals } from "./intervals.ts";

export interface Merged {
  readonly starts: Uint32Array;
  /** The class of each interval. */
  readonly classAt: Int32Array;
  /** Of each class the first interval, and which interval of each question holds there. */
  readonly places: readonly { readonly first: number; readonly intervals: Int32Array }[];
}

export function merge(family: Family, all: readonly Intervals[]): Merged {
  const width = wordsOf(family);
  const labels = labelTree(all.map((one) => one.count));
  const cursors = new Int32Array(all.length);
  const most = all.reduce((sum, one) => sum + one.count, 1);
  const starts = new Uint32Array(most * width);
  const classAt = new Int32Array(most);
  const places: { first: number; intervals: Int32Array }[] = [];
  const found = new Map<number, number>();
  all.forEach((one, place) => {
    labels.set(place, one.answers[0] ?? 0);
  });
  // those that change at all, the next to change first
  const queue = heap(width, all, cursors);
  let made = 0;
  const emit = (): void => {
    const root = labels.root();
    let cls = found.get(root);
    if (cls === undefined) {
      cls = places.push({ first: made, intervals: cursors.slice() }) - 1;
      found.set(root, cls);
    }
    if (made > 0 && classAt[made - 1] === cls) return;
    classAt[made] = cls;
    made += 1;
  };
  emit();
  for (let at = queue.next(); at >= 0; at = queue.next()) {
    const from = ((cursors[at] as number) + 1) * width;
    const { starts: source } = all[at] as Intervals;
    for (let w = 0; w < width; w++) starts[made * width + w] = source[from + w] as number;
    for (let same = at; ; same = queue.next()) {
      const cursor = (cursors[same] as number) + 1;
      cursors[same] = cursor;
      labels.set(same, (all[same] as Intervals).answers[cursor] as number);
      queue.moved();
      const next = queue.next();
      if (next < 0) break;
      const theirs = (all[next] as Intervals).starts;
      if (compareWords(width, theirs, ((cursors[next] as number) + 1) * width, starts, made * width) !== 0) break;
    }
    emit();
  }
  return { starts: starts.slice(0, made * width), classAt: classAt.slice(0, made), places };
}

/** A binary heap of questions by where they change next; -1: none changes any more. */
function heap(width: number, all: readonly Intervals[], cursors: Int32Array) {
  const places = all.flatMap((one, place) => (one.count > 1 ? [place] : []));
  const order = Int32Array.from(places);
  let size = order.length;
  const before = (a: number, b: number): boolean =>
    compareWords(
      width,
      (all[a] as Intervals).starts,
      ((cursors[a] as number) + 1) * width,
      (all[b] as Intervals).starts,
      ((cursors[b] as number) + 1) * width,
    ) < 0;
  const sift = (from: number): void => {
    const moving = order[from] as number;
    let at = from;
    for (let child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && before(order[child + 1] as number, order[child] as number)) child += 1;
      if (!before(order[child] as number, moving)) break;
      order[at] = order[child] as number;
      at = child;
    }
    order[at] = moving;
  };
  for (let at = (size >> 1) - 1; at >= 0; at--) sift(at);
  return {
    next: (): number => (size === 0 ? -1 : (order[0] as number)),
    /** The first has gone on. */
    moved(): void {
      const first = order[0] as number;
      if ((cursors[first] as number) + 1 >= (all[first] as Intervals).count) {
        size -= 1;
        order[0] = order[size] as number;
      }
      if (size > 1) sift(0);
    },
  };
}

function labelTree(sizes: readonly number[]) {
  const parent: number[] = [];
  const left: number[] = [];
  const right: number[] = [];
  const known: Map<number, number>[] = [];
  let heap = sizes.map((w, node) => ({ w, node }));
  for (let node = heap.length; heap.length > 1; node++) {
    heap = heap.sort((a, b) => b.w - a.w);
    const [a, b] = [heap.pop(), heap.pop()] as [{ w: number; node: number }, { w: number; node: number }];
    parent[a.node] = node;
    parent[b.node] = node;
    left[node] = a.node;
    right[node] = b.node;
    known[node] = new Map();
    heap.push({ w: a.w + b.w, node });
  }
  const root = heap[0]?.node ?? 0;
  const value = new Int32Array(root + 1);
  const refresh = (node: number): void => {
    const pair = (value[left[node] ?? 0] ?? 0) * 2 ** 26 + (value[right[node] ?? 0] ?? 0);
    const map = known[node] ?? new Map<number, number>();
    let id = map.get(pair);
    if (id === undefined) {
      id = map.size;
      map.set(pair, id);
    }
    value[node] = id;
  };
  for (let node = sizes.length; node <= root; node++) refresh(node);
  return {
    root: () => value[root] ?? 0,
    set(leaf: number, answer: number): void {
      if (value[leaf] === answer) return;
      value[leaf] = answer;
      for (let node = parent[leaf]; node !== undefined; node = parent[node]) refresh(node);
    },
  };
}
