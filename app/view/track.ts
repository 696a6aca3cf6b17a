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
    readonly look: "main" | "turn" | "tunnel" | "flow" | "direct" | "direct-gap" | "block" | "stop";
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
  const step = Math.max(slim ? 138 : 126, Math.min(210, Math.floor((width - start - end) / runs.length)));
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

export interface Slot {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Where a card stands. */
export function placeOf(track: Track, id: string): Slot | null {
  for (const { run, x, y, width } of track.runs) {
    const index = run.cards.findIndex((card) => card.id === id);
    if (index >= 0) return { x, y: y + index * (cardHeight + cardGap), width, height: cardHeight };
  }
  return null;
}

/**
 * Where a lifted card would land, on the board as it is drawn: below or above the neighbour it joins, or between the
 * columns of the rules it would stand between. Between two cards of one stack there is only the gap.
 */
export function slotAt(track: Track, moved: string, to: { readonly lane: Lane; readonly place: number }): Slot {
  const cards = track.runs.flatMap((placed) =>
    placed.run.cards
      .map((card, index) => ({ card, index, placed }))
      .filter(({ card }) => card.kind === "rule" && card.id !== moved),
  );
  const [before, after] = [cards[to.place - 1], cards[to.place]];
  const step = cardHeight + cardGap;
  if (before?.placed.run.lane === to.lane) {
    const { placed, index } = before;
    const last = index === placed.run.cards.length - 1 || placed.run.cards[index + 1]?.id === moved;
    const y = placed.y + (index + 1) * step - (last ? 0 : cardGap);
    return { x: placed.x, y, width: placed.width, height: last ? cardHeight : cardGap };
  }
  if (after?.placed.run.lane === to.lane)
    return { x: after.placed.x, y: after.placed.y - cardGap, width: after.placed.width, height: cardGap };
  const { top } = track.rows[to.lane];
  const fixed = track.runs.filter(({ run }) => run.cards[0]?.kind !== "rule");
  const left = before?.placed ?? fixed.filter(({ run }) => run.cards[0]?.kind !== "rest").at(-1);
  const right = after?.placed ?? track.runs.at(-1);
  const width = right?.width ?? cardHeight;
  const middle = left === undefined ? (right?.x ?? 0) : (left.x + (right?.x ?? left.x)) / 2;
  // a card that has no rule of its lane beside it may still stand beside one that is no rule
  const taken = fixed.find(({ run, x }) => run.lane === to.lane && Math.abs(x - middle) < width);
  const x = taken === undefined ? middle : taken.x + (taken === right ? -1 : 1) * (width + 14);
  return { x: Math.max(track.start, x), y: top, width, height: cardHeight };
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
    ...(tunnel === null
      ? []
      : [
          { look: "tunnel" as const, d: tunnel },
          { look: "flow" as const, d: tunnel },
        ]),
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
