// The prover stands on its model of Linux: always the same 200 random policies of 200 packets each, asked of this kernel and
// of the model. `npm run bench -- model` asks others; a difference that it finds is kept in helper/proof/findings.
import { expect, test } from "vitest";

import { holdAgainstKernel } from "../bench/model.ts";

test("the model answers as the kernel does: 200 policies of 200 packets", async () => {
  const said: string[] = [];
  const found = await holdAgainstKernel({ seed: 1, policies: 200, packets: 200 }, (line) => said.push(line));
  expect(found.differences, said.join("\n")).toEqual([]);
  expect(found.asked).toBe(40_000);
  expect(found.sent).toBeGreaterThan(5000);
});
