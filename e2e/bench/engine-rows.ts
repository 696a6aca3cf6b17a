// (pure) Samples → rows. A sample is one figure of one round of one configuration; ratios are taken within a round, between
// configurations that ran one after the other, so that what slows the machine down for a minute slows both.
import { type Row, rowOf } from "./rows.ts";

export interface Sample {
  readonly round: number;
  /** With the link and family before it: `wire.tcp1`. */
  readonly name: string;
  readonly config: string;
  readonly value: number;
}

/** What Culvert at both ends is held against. */
const bases = ["wireguard_go", "limit", "nested_wireguard_go", "kernel_forwarding", "one"] as const;
const ours = "culvert";

export function rowsOf(samples: readonly Sample[]): readonly Row[] {
  const rows: Row[] = [];
  for (const name of new Set(samples.map((sample) => sample.name))) {
    const here = samples.filter((sample) => sample.name === name);
    const configs = [...new Set(here.map((sample) => sample.config))];
    const of = (config: string): readonly Sample[] => here.filter((sample) => sample.config === config);
    for (const config of configs)
      rows.push(
        rowOf(
          `${name}.${config}`,
          unitOf(name),
          of(config).map((sample) => sample.value),
        ),
      );
    for (const base of bases) {
      const ratios = ratiosOf(of(ours), of(base));
      if (ratios.length > 0) rows.push(rowOf(`${name}.ratio_${base}`, "x", ratios));
    }
  }
  return rows;
}

function ratiosOf(numerators: readonly Sample[], denominators: readonly Sample[]): readonly number[] {
  return numerators.flatMap(({ round, value }) => {
    const base = denominators.find((sample) => sample.round === round);
    return base === undefined || base.value === 0 ? [] : [value / base.value];
  });
}

function unitOf(name: string): Row["unit"] {
  const last = name.split(".").at(-1) ?? name;
  if (last === "cpu_per_gb" || name.includes("cpu_per_gb.")) return "s/GB";
  if (last === "rss") return "MiB";
  if (last === "p50" || last === "p99" || last === "first_reply") return "ms";
  if (last.startsWith("ns_")) return "ns";
  if (last === "per_second") return "1/s";
  if (last === "fragments") return "count";
  if (last === "bytes_a_peer") return "B";
  if (last === "under_load" || last === "established") return "x";
  return "Gbit/s";
}
