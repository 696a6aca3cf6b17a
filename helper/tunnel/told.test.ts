import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Seen } from "./seen.ts";
import { followNode } from "./told.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("the node's load is asked at once and every minute, and forgotten with the connection", async () => {
  const { loads, end, seen } = follow([0.2, 0.7]);
  await vi.advanceTimersByTimeAsync(59_000);
  expect([loads, seen.length]).toEqual([[0.2], 1]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(loads).toEqual([0.2, 0.7]);
  end();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(loads).toEqual([0.2, 0.7, null]);
});

test("an answer that comes after the connection ended is not told", async () => {
  const { loads, end, seen } = follow([0.2]);
  end();
  await vi.advanceTimersByTimeAsync(5000);
  expect([loads, seen]).toEqual([[null], []]);
});

function follow(answers: readonly number[]) {
  const [loads, seen]: [(number | null)[], Seen["as"][]] = [[], []];
  let [up, next] = [true, 0];
  const as = { ipv4: null, ipv6: null };
  followNode({
    ask: async () => ({ as, load: answers[next++] ?? null, beacon: null }),
    stands: () => up,
    seen: (one) => void seen.push(one),
    load: (load) => void loads.push(load),
    ended: () => void loads.push(null),
  });
  return { loads, seen, end: () => (up = false) };
}
