import { expect, test } from "vitest";

import { pingSchema } from "../contract/node.ts";
import { summarise } from "./probe.ts";

test("median, jitter and loss come from the samples, and lost ones count only as lost", () => {
  expect(summarise([10, null, 14, 11], 5)).toEqual({
    samplesMs: [10, null, 14, 11],
    medianMs: 11,
    jitterMs: 3.5,
    lossRatio: 0.25,
    at: 5,
  });
});

test("a node that never answered has a loss of one and no round trip", () => {
  const ping = summarise([null, null], 5);
  expect(ping).toMatchObject({ medianMs: null, jitterMs: null, lossRatio: 1 });
  expect(pingSchema.parse(ping)).toEqual(ping);
});
