// culvert nodes: the list, one line a node: name, place, endpoint, median round trip, load, key.
import { answerWith, type Verb } from "./verb.ts";

export const nodes: Verb = {
  arguments: { from: 0, to: 0 },
  run: (context) =>
    answerWith(context, "nodes", {}, (list) => {
      if (list.length === 0) return context.words.say("no-nodes", {});
      const rows = list.map((n) => [
        n.favourite ? `* ${n.name}` : `  ${n.name}`,
        [n.city, n.country].filter((x) => x !== null).join(", "),
        n.endpoint.host.includes(":")
          ? `[${n.endpoint.host}]:${n.endpoint.port}`
          : `${n.endpoint.host}:${n.endpoint.port}`,
        n.ping?.medianMs == null ? "" : `${n.ping.medianMs.toFixed(0)} ms`,
        n.load === null ? "" : `${Math.round(n.load * 100)} %`,
        n.id,
      ]);
      const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
      return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")).join("\n");
    }),
};
