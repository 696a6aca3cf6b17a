// The prover stands on its model of Linux: always the same 200 random policies of 200 packets each, asked of this kernel and
// of the model. `npm run bench -- model` asks others; a difference that it finds is kept in helper/proof/findings.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { expect, test } from "vitest";

test("the model answers as the kernel does: 200 policies of 200 packets", () => {
  const child = join(import.meta.dirname, "../bench/model-kernel.ts");
  const [seed, policies, packets] = ["1", "200", "200"];
  const said = execFileSync("unshare", ["-n", process.execPath, child, seed, policies, packets], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    timeout: 110_000,
  });
  const found = JSON.parse(said) as { asked: number; sent: number; differences: string[] };
  expect(found.differences).toEqual([]);
  expect(found.asked).toBe(40_000);
  expect(found.sent).toBeGreaterThan(3000);
});
