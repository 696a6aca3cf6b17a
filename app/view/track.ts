// Where the board's lines and cards stand, for a width: one column a run, one row a lane, as high as its tallest stack.
import type { Lane } from "../../helper/contract/policy.ts";
import type { Run } from "./board.ts";

export const lanes: readonly Lane[] = ["tunnel", "direct", "block"];
export const cardHeight = 62;
const cardGap = 6;
const mainLine = 16;

export interface PlacedRun {
  readonly run: Run;
  /** 1-based: the number at the point. */
  readonly number: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export interface Track {
  readonly width: number;
  readonly height: number;
  /** Left edge of the first column. */
  readonly start: number;
  readonly rows: Readonly<Record<Lane, { readonly top: number; readonly line: number; readonly bottom: number }>>;
  readonly runs: readonly PlacedRun[];
  readonly lines: readonly {
    readonly look: "main" | "turn" | "tunnel" | "direct" | "direct-gap" | "block" | "stop";
    readonly d: string;
  }[];
  /** Gaps in the lanes' lines where a turn crosses them. */
  readonly crossings: readonly { readonly x: number; readonly y: number }[];
  readonly points: readonly { readonly x: number; readonly y: number; readonly number: number }[];
}

export function layTrack(runs: readonly Run[], width: number): Track {
  const slim = width < 740;
  const start = slim ? 100 : 112;
  const end = slim ? 12 : 86;
  const step = Math.max(slim ? 122 : 130, Math.min(210, Math.floor((width - start - end) / runs.length)));
  const whole = Math.max(width, start + end + step * runs.length);
  const rows = layRows(runs);
  const column = (index: number): number => start + step * index;
  const placed = runs.map((run, index) => ({
    run,
    number: index + 1,
    x: column(index),
    y: rows[run.lane].top,
    width: step - 14,
  }));
  const firstOf = (lane: Lane): number | null => placed.find((one) => one.run.lane === lane)?.x ?? null;
  const height = rows.block.bottom;
  const lastPoint = column(runs.length - 1) - 18;
  const turns = placed.map(({ x, run }) => {
    const at = x - 5;
    const y = rows[run.lane].line;
    return { look: "turn" as const, d: `M${at - 13} ${mainLine}L${at} ${mainLine + 13}V${y - 6}L${at + 6} ${y}` };
  });
  return {
    width: whole,
    height,
    start,
    rows,
    runs: placed,
    lines: [{ look: "main", d: `M0 ${mainLine}H${lastPoint}` }, ...laneLines(firstOf, rows, whole), ...turns],
    crossings: placed.flatMap(({ x, run }) =>
      lanes
        .slice(0, lanes.indexOf(run.lane))
        .filter((lane) => (firstOf(lane) ?? Infinity) < x)
        .map((lane) => ({ x: x - 5, y: rows[lane].line })),
    ),
    points: placed.map(({ x, number }) => ({ x: x - 18, y: mainLine, number })),
  };
}

/** Which lane and which place among the rules a card lifted to (x, y) would take. */
export function placeAt(
  track: Track,
  x: number,
  y: number,
  moved: string,
): { readonly lane: Lane; readonly place: number } {
  const lane = lanes.find((one) => y < track.rows[one].bottom) ?? "block";
  let place = 0;
  for (const { run, x: left, y: top, width } of track.runs) {
    for (const [index, card] of run.cards.entries()) {
      if (card.kind !== "rule" || card.id === moved) continue;
      const middle = top + index * (cardHeight + cardGap) + cardHeight / 2;
      const before =
        left + width < x ||
        (left + width / 2 < x && run.lane !== lane) ||
        (left <= x && x <= left + width && run.lane === lane && middle < y);
      if (before) place++;
    }
  }
  return { lane, place };
}

function layRows(runs: readonly Run[]): Track["rows"] {
  const stack = (lane: Lane): number =>
    Math.max(1, ...runs.filter((run) => run.lane === lane).map((run) => run.cards.length));
  let top = 46;
  const row = (lane: Lane): Track["rows"][Lane] => {
    const line = top + 22;
    // the lane's name and its note need 80 below the line's top, a stack what its cards need
    const bottom = top + Math.max(96, stack(lane) * (cardHeight + cardGap) + 18);
    const made = { top, line, bottom };
    top = bottom;
    return made;
  };
  return { tunnel: row("tunnel"), direct: row("direct"), block: row("block") };
}

function laneLines(firstOf: (lane: Lane) => number | null, rows: Track["rows"], width: number): Track["lines"] {
  const from = (lane: Lane, until: number): string | null => {
    const x = firstOf(lane);
    return x === null ? null : `M${x} ${rows[lane].line}H${until}`;
  };
  const tunnel = from("tunnel", width - 2);
  const direct = from("direct", width - 2);
  const block = from("block", width - 6);
  return [
    ...(tunnel === null ? [] : [{ look: "tunnel" as const, d: tunnel }]),
    ...(direct === null
      ? []
      : [
          { look: "direct" as const, d: direct },
          { look: "direct-gap" as const, d: direct },
        ]),
    ...(block === null
      ? []
      : [
          { look: "block" as const, d: block },
          { look: "stop" as const, d: `M${width - 6} ${rows.block.line - 11}v22` },
        ]),
  ];
}
