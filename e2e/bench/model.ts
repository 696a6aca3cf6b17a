// model: the prover's model of Linux against the kernel itself. Random policies in an empty network namespace, random
// packets, each asked of both. A difference is a bug in helper/proof (or a finding about the kernel) and ends the bench
// with an error; it is kept as a test in helper/proof/findings.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";

import { z } from "zod";

import { countOf, type Row } from "./rows.ts";

const answerSchema = z.object({
  policies: z.number(),
  asked: z.number(),
  sent: z.number(),
  differences: z.array(z.string()),
});
type Answer = z.infer<typeof answerSchema>;

/** `rounds` policies; the seed can be given, so that what was found can be found again. */
export async function benchModel(rounds: number, note: (line: string) => void): Promise<readonly Row[]> {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1e6));
  const packets = rounds <= 20 ? 50 : rounds <= 200 ? 200 : 1000;
  note(`SEED=${seed}, ${rounds} policies of ${packets} packets`);
  const found = await holdAgainstKernel({ seed, policies: rounds, packets }, note);
  if (found.differences.length > 0) process.exitCode = 1;
  return [
    countOf("model.policies", found.policies),
    countOf("model.packets", found.asked + found.sent),
    countOf("model.differences", found.differences.length),
  ];
}

/** In an empty network namespace, by a process that keeps its rights whoever it becomes: sockets have owners and marks. */
export async function holdAgainstKernel(
  { seed, policies, packets }: { readonly seed: number; readonly policies: number; readonly packets: number },
  note: (line: string) => void,
): Promise<Answer> {
  const kernel = join(import.meta.dirname, "model-kernel.ts");
  const inside = ["-n", "setpriv", "--securebits", "+no_setuid_fixup", process.execPath, kernel];
  const child = spawn("unshare", [...inside, `${seed}`, `${policies}`, `${packets}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  createInterface({ input: child.stderr }).on("line", note);
  return answerSchema.parse(JSON.parse(await text(child.stdout)));
}
