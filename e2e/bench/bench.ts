// npm run bench -- NAME [--json] [--quick]: runs one benchmark in the lab. With --json standard output gets one object and
// nothing else; without, a table. README.md lists every row.
import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";

import { enter, inside } from "../lab/enter.ts";
import { benchConnect } from "./connect.ts";
import { benchModel } from "./model.ts";
import { benchMutation } from "./mutation.ts";
import { printRows, type Row } from "./rows.ts";

type Bench = (rounds: number, note: (line: string) => void) => Promise<readonly Row[]>;
const benches: Readonly<Record<string, { readonly run: Bench; readonly rounds: number; readonly quick: number }>> = {
  connect: { run: benchConnect, rounds: 20, quick: 3 },
  // 200 policies of 200 packets; quick: 20 of 50
  model: { run: benchModel, rounds: 200, quick: 20 },
  // three sample plans; quick: one of them
  mutation: { run: benchMutation, rounds: 3, quick: 1 },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, quick: { type: "boolean", default: false } },
});
const [name = ""] = positionals;
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(benches).join(" | ")} [--json] [--quick]\n`);
  process.exit(2);
}
if (!inside()) process.exit(await enter([process.execPath, ...process.argv.slice(1)]));

const rounds = values.quick ? bench.quick : bench.rounds;
const rows = await bench.run(rounds, (line) => process.stderr.write(`${line}\n`));
const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.version,
};
process.stdout.write(
  values.json ? `${JSON.stringify({ bench: name, machine, rounds, rows })}\n` : `${printRows(rows)}\n`,
);
process.exit(process.exitCode ?? 0);
