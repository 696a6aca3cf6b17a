import { afterEach, beforeEach, expect, test, vi } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { WireAllowed, WireRules } from "./native.ts";
import { settleMs, watchWire } from "./wire.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const links = [{ device: "wlan0", link: "wlan0" }];
const to = (address: string): WireAllowed => ({
  endpoints: [{ address: address as Address, port: 1 }],
  ...{ inside: [], near: [], lan: [], lanes: [], resolvers: [], answers: [] },
});
const [one, two] = [to("192.0.2.1"), to("192.0.2.2")];

test("nothing is judged until the first plan has stood for a while", () => {
  const { watch, judged } = makeWatch();
  watch.expect(links, one);
  watch.settle();
  expect(judged()).toEqual([]);
  vi.advanceTimersByTime(settleMs + 5);
  expect(judged()).toEqual([one]);
});

test("while a plan changes both may leave, and a while after it the new one alone", () => {
  const { watch, judged } = makeWatch();
  watch.expect(links, one);
  watch.settle();
  vi.advanceTimersByTime(settleMs + 5);
  watch.expect(links, two);
  expect(judged()).toEqual([one, two]);
  watch.settle();
  expect(judged()).toEqual([one, two]);
  vi.advanceTimersByTime(settleMs + 5);
  expect(judged()).toEqual([two]);
});

test("a plan that keeps changing does not keep old ones alive", () => {
  const { watch, judged } = makeWatch();
  for (let i = 0; i < 50; i++) {
    watch.expect(links, to(`192.0.2.${i}`));
    watch.settle();
    vi.advanceTimersByTime(200);
  }
  expect(judged().length).toBeLessThan(8);
});

test("a change that was not carried out leaves both", () => {
  const { watch, judged } = makeWatch();
  watch.expect(links, one);
  watch.settle();
  vi.advanceTimersByTime(settleMs + 5);
  watch.expect(links, two);
  vi.advanceTimersByTime(10 * settleMs);
  expect(judged()).toEqual([one, two]);
});

test("a watch that cannot be is told and counts nothing, and the next plan tries again", () => {
  const failures: unknown[] = [];
  let broken = true;
  const tap = { follow: () => undefined, counts: () => none, lookFor: () => undefined, close: () => undefined };
  const wireTap = () => {
    if (broken) throw Object.assign(new Error("no"), { code: "EPERM" });
    return tap;
  };
  const watch = watchWire({ wireTap }, (error) => failures.push(error));
  watch.expect(links, one);
  watch.settle();
  expect(watch.counts()).toBeNull();
  expect(failures).toEqual([expect.objectContaining({ name: "KernelError", on: "wlan0", code: "EPERM" })]);
  broken = false;
  watch.expect(links, one);
  expect(watch.counts()).toEqual(none);
});

const none = { seen: 0, beside: 0, missed: 0, first: [], sighted: [] };

function makeWatch() {
  let last: WireRules = { links: [], allowed: [] };
  const wireTap = (rules: WireRules) => {
    last = rules;
    return {
      follow(next: WireRules) {
        last = next;
      },
      ...{ counts: () => none, lookFor: () => undefined, close: () => undefined },
    };
  };
  return { watch: watchWire({ wireTap }, () => undefined), judged: () => last.allowed };
}
