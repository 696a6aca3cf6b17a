// npm run bench -- NAME [--json] [--quick | --long]: runs one benchmark in the lab. With --json standard output gets one object and
// nothing else; without, a table. README.md lists every row.
import { cpus, release, totalmem } from "node:os";
import { parseArgs } from "node:util";

import { enter, inside } from "../lab/enter.ts";
import type { Choice } from "./engine.ts";
import { printRows, type Row } from "./rows.ts";

type Bench = (rounds: number, note: (line: string) => void, choice: Choice) => Promise<readonly Row[]>;
const benches: Readonly<
  Record<
    string,
    { readonly load: () => Promise<Bench>; readonly rounds: number; readonly quick: number; readonly long?: number }
  >
> = {
  connect: { load: async () => (await import("./connect.ts")).benchConnect, rounds: 20, quick: 3 },
  // each about four minutes
  engine: { load: async () => (await import("./engine.ts")).benchEngine, rounds: 5, quick: 1 },
  // 200 policies of 200 packets; quick: 20 of 50; long: 5,000 of 1,000, a quarter of an hour
  model: { load: async () => (await import("./model.ts")).benchModel, rounds: 200, quick: 20, long: 5000 },
  plan: { load: async () => (await import("./plan.ts")).benchPlan, rounds: 20, quick: 3 },
  // four sample plans; quick: one of them
  mutation: { load: async () => (await import("./mutation.ts")).benchMutation, rounds: 4, quick: 1 },
  // each round 14 seconds: five mendings in ten seconds would be a fight
  watch: { load: async () => (await import("./watch.ts")).benchWatch, rounds: 7, quick: 2 },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    // as much as an issue asks for before it is done; where there is nothing longer, the ordinary rounds
    long: { type: "boolean", default: false },
    rounds: { type: "string" },
    // engine: some rows, some configurations
    only: { type: "string", default: "" },
    configs: { type: "string", default: "" },
  },
});
const [name = ""] = positionals;
const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
if (bench === undefined) {
  process.stderr.write(
    `usage: npm run bench -- ${Object.keys(benches).join(" | ")} [--json] [--quick | --long] [--rounds N] [--only ROW,…] [--configs NAME,…]\n`,
  );
  process.exit(2);
}
if (!inside()) {
  if (name === "engine") (await import("./engine-peers.ts")).buildPrograms((line) => process.stderr.write(`${line}\n`));
  process.exit(await enter([process.execPath, ...process.argv.slice(1)]));
}

const usual = values.quick ? bench.quick : values.long ? (bench.long ?? bench.rounds) : bench.rounds;
const rounds = Number(values.rounds ?? usual);
const list = (text: string): readonly string[] => text.split(",").filter((word) => word !== "");
const choice = { quick: values.quick, only: list(values.only), configs: list(values.configs) };
const rows = await (await bench.load())(rounds, (line) => process.stderr.write(`${line}\n`), choice);
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
