// What the board's cards stand on: the lanes' names, the lines of the track, what stands at their ends, and, while a card is
// in the hand, the hole it left and the slot it would land in.
import type { Lane } from "../../helper/contract/policy.ts";
import { useWord } from "../hooks.ts";
import { cardHeight, placeOf, slotAt, type Track } from "../view/track.ts";
import { LaneMark } from "./LaneMark.tsx";
import s from "./Board.module.css";

export interface Landing {
  readonly id: string;
  readonly to: { readonly lane: Lane; readonly place: number };
}

export function LaneName({ lane, track }: { readonly lane: Lane; readonly track: Track }) {
  const word = useWord();
  return (
    <div className={s.name} style={{ top: track.rows[lane].line - 5, width: track.start - 14 }}>
      <LaneMark lane={lane} />
      <b>{word(`lane.${lane}`)}</b>
      <span className="label wide">{word(`lanes.sees.${lane}`)}</span>
    </div>
  );
}

interface EndsProps {
  readonly track: Track;
  readonly node: string;
  readonly rate: string;
  readonly uplink: string;
}

export function Ends({ track, node, rate, uplink }: EndsProps) {
  const end = (lane: Lane, text: string, below: string) =>
    text !== "" && (
      <div className={`${s.end ?? ""} wide`} style={{ top: track.rows[lane].line + 9 }}>
        <b className="cut">{text}</b>
        {below !== "" && <span className="label">{below}</span>}
      </div>
    );
  return (
    <>
      {end("tunnel", node, rate)}
      {end("direct", uplink, "")}
    </>
  );
}

export function SlotOf({ track, landing }: { readonly track: Track; readonly landing: Landing }) {
  const { x, y, width, height } = slotAt(track, landing.id, landing.to);
  const from = placeOf(track, landing.id);
  return (
    <>
      {from !== null && (
        <div className={s.hole} style={{ left: from.x, top: from.y, width: from.width, height: cardHeight }} />
      )}
      <div className={`${s.slot ?? ""} ${s[landing.to.lane] ?? ""}`} style={{ left: x, top: y, width, height }} />
    </>
  );
}

export function Lines({ track, flows }: { readonly track: Track; readonly flows: boolean }) {
  return (
    <svg
      className={s.lines}
      width={track.width}
      height={track.height}
      data-flow={flows ? "on" : "off"}
      aria-hidden="true"
    >
      {track.lines
        .filter((line) => line.look !== "turn")
        .map((line, index) => (
          <path key={index} className={s[`line-${line.look}`]} d={line.d} />
        ))}
      {track.crossings.map(({ x, y }, index) => (
        <rect key={index} className={s.gap} x={x - 4.5} y={y - 8} width="9" height="16" />
      ))}
      {track.lines
        .filter((line) => line.look === "turn")
        .map((line, index) => (
          <path key={index} className={s["line-turn"]} d={line.d} />
        ))}
      {track.points.map(({ x, y, number }) => (
        <g key={number}>
          <circle className={s.point} cx={x} cy={y} r="10" />
          <text className={s.number} x={x} y={y + 4.3} textAnchor="middle">
            {number}
          </text>
        </g>
      ))}
    </svg>
  );
}
