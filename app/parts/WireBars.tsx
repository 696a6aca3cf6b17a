// What the watch saw leave the uplinks, a bar a second: above the line through the tunnel or by policy, below it beside.
import { useWord } from "../hooks.ts";
import type { Bar } from "../view/leaks.ts";
import s from "./WireBars.module.css";

const slots = 119;
const width = 952;

export function WireBars({ bars }: { readonly bars: readonly Bar[] }) {
  const word = useWord();
  const most = Math.max(1, ...bars.map((bar) => bar.seen));
  const step = width / slots;
  const x = (index: number): number => (slots - bars.length + index) * step;
  return (
    <figure className={s.figure}>
      <div className={s.names} aria-hidden="true">
        <span>{word("leaks.through")}</span>
        <span>{word("leaks.beside")}</span>
      </div>
      <svg
        className={s.bars}
        viewBox={`0 0 ${String(width)} 62`}
        preserveAspectRatio="none"
        role="img"
        aria-label={word("leaks.bars")}
      >
        {bars.map((bar, index) => (
          <g key={index}>
            <rect
              className={s.through}
              x={x(index).toFixed(1)}
              y={(36 - (bar.seen / most) * 32).toFixed(1)}
              width={(step - 2).toFixed(1)}
              height={((bar.seen / most) * 32).toFixed(1)}
            />
            {bar.beside > 0 && (
              <rect className={s.beside} x={x(index).toFixed(1)} y="40" width={(step - 2).toFixed(1)} height="20" />
            )}
          </g>
        ))}
        <path className={s.base} d={`M0 36.5H${String(width)}`} />
        <path className={s.zero} d={`M0 60.5H${String(width)}`} />
      </svg>
      <figcaption className="label">
        <span>{word("leaks.two-minutes")}</span>
        <span>{word("leaks.now")}</span>
      </figcaption>
    </figure>
  );
}
