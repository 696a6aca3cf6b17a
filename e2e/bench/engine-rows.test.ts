import { expect, test } from "vitest";

import { rowsOf, type Sample } from "./engine-rows.ts";

const sample = (round: number, name: string, config: string, value: number): Sample => ({ round, name, config, value });

test("a ratio is taken within a round, not between medians", () => {
  const rows = rowsOf([
    sample(0, "tcp1", "culvert", 6),
    sample(0, "tcp1", "wireguard_go", 3),
    sample(1, "tcp1", "culvert", 2),
    sample(1, "tcp1", "wireguard_go", 0.5),
  ]);
  expect(rows.find((row) => row.name === "tcp1.ratio_wireguard_go")).toMatchObject({ value: 3, min: 2, max: 4, n: 2 });
});

test("what the other did not measure in this round has no ratio", () => {
  const rows = rowsOf([sample(0, "tcp1", "culvert", 6), sample(1, "tcp1", "limit", 3)]);
  expect(rows.map((row) => row.name)).toEqual(["tcp1.culvert", "tcp1.limit"]);
});

test("units follow from names", () => {
  const names = ["wire.tcp1", "v6.cpu_per_gb.sender", "udp.cpu_per_gb", "rtt.p99", "first_reply", "wire.rss"];
  const units = rowsOf(names.map((name) => sample(0, name, "culvert", 1))).map((row) => row.unit);
  expect(units).toEqual(["Gbit/s", "s/GB", "s/GB", "ms", "ms", "MiB"]);
});
