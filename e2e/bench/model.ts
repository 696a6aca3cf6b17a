// model: the prover's model of Linux against the kernel itself. Random policies in an empty network namespace, random
// packets, each asked of both. A difference is a bug in helper/proof (or a finding about the kernel) and ends the bench
// with an error; it is kept as a test in helper/proof/findings.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { z } from "zod";

import { countOf, type Row } from "./rows.ts";

const run = promisify(execFile);
const answerSchema = z.object({
  policies: z.number(),
  asked: z.number(),
  sent: z.number(),
  differences: z.array(z.string()),
});

/** `rounds` policies; the seed can be given, so that what was found can be found again. */
export async function benchModel(rounds: number, note: (line: string) => void): Promise<readonly Row[]> {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e6));
  const packets = rounds <= 20 ? 50 : rounds <= 200 ? 200 : 1000;
  note(`SEED=${seed}, ${rounds} policies of ${packets} packets`);
  const child = join(import.meta.dirname, "model-kernel.ts");
  const { stdout } = await run("unshare", ["-n", process.execPath, child, `${seed}`, `${rounds}`, `${packets}`], {
    maxBuffer: 2 ** 28,
  });
  const found = answerSchema.parse(JSON.parse(stdout));
  for (const difference of found.differences.slice(0, 20)) note(difference);
  if (found.differences.length > 0) process.exitCode = 1;
  return [
    countOf("model.policies", found.policies),
    countOf("model.packets", found.asked + found.sent),
    countOf("model.differences", found.differences.length),
  ];
}
