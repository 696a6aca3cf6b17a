// One bar a probe, all nodes on one scale (view/nodes.ts); a lost probe is a dashed bar of full height.
import type { Ping } from "../../helper/contract/node.ts";
import { answersNot, pingBars } from "../view/nodes.ts";

const width = 84;
const height = 22;
const most = 21;

export function PingGraph({ ping, label }: { readonly ping: Ping; readonly label: string }) {
  const silent = answersNot(ping);
  return (
    <svg width={width} height={height} viewBox={`0 0 ${String(width)} ${String(height)}`} role="img" aria-label={label}>
      {silent ? (
        <path
          d={`M0 ${String(height - 2)}H${String(width)}`}
          stroke="var(--block)"
          strokeWidth="1.5"
          strokeDasharray="4 4"
        />
      ) : (
        <>
          <path d={`M0 ${String(height - 1.5)}H${String(width)}`} stroke="var(--line)" />
          {pingBars(ping, most).map(({ height: share }, index) => {
            const x = 2 + index * 4;
            return share === null ? (
              <path
                key={index}
                d={`M${String(x)} 2v17`}
                stroke="var(--block)"
                strokeWidth="1.5"
                strokeDasharray="2 2"
              />
            ) : (
              <path
                key={index}
                d={`M${String(x)} ${String(height - 2.5)}V${(height - 2.5 - share * 18).toFixed(1)}`}
                stroke="var(--ink-2)"
                strokeWidth="1.8"
              />
            );
          })}
        </>
      )}
    </svg>
  );
}
