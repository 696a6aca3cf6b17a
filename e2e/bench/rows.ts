// (pure) Samples → the rows that a benchmark reports. A row's value is the median: one slow round of a shared machine
// must not move it, and min and max beside it say that there was one.
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: "ms" | "MiB" | "count" | "Gbit/s" | "s/GB" | "ns" | "1/s" | "B" | "x";
  readonly min: number;
  readonly max: number;
  readonly n: number;
}

export function rowOf(name: string, unit: Row["unit"], samples: readonly number[]): Row {
  if (samples.length === 0) throw new Error(`${name}: nothing was measured`);
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number): number => sorted[index] ?? NaN;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  // two places, and three figures of what is small
  const round = (value: number): number =>
    Math.abs(value) >= 1 ? Math.round(value * 100) / 100 : Number(value.toPrecision(3));
  return { name, value: round(median), unit, min: round(at(0)), max: round(at(sorted.length - 1)), n: sorted.length };
}

/** What is counted, not measured: one value. */
export function countOf(name: string, value: number): Row {
  return { name, value, unit: "count", min: value, max: value, n: 1 };
}

/** For people: one aligned line a row. */
export function printRows(rows: readonly Row[]): string {
  const width = Math.max(...rows.map((row) => row.name.length));
  return rows
    .map((row) => {
      const value = print(row.value).padStart(8);
      return `${row.name.padEnd(width)} ${value} ${row.unit.padEnd(3)}  ${print(row.min)} to ${print(row.max)}, n ${row.n}`;
    })
    .join("\n");
}

const print = (value: number): string =>
  Math.abs(value) < 10 && !Number.isInteger(value) ? value.toPrecision(3) : value.toFixed(1);
