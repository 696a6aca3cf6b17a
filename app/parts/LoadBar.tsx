// How full a node is; the dashed tick stands at 80 %.
import { fullLoad } from "../view/nodes.ts";

const width = 40;

export function LoadBar({ load }: { readonly load: number }) {
  return (
    <svg viewBox={`0 0 ${String(width)} 8`} width={width} height={8} aria-hidden="true">
      <path d={`M0 7.5H${String(width)}`} stroke="var(--line)" />
      <rect
        y="1"
        width={(width * load).toFixed(1)}
        height="6"
        fill={load >= fullLoad ? "var(--caution-ink)" : "var(--ink-2)"}
      />
      <path d={`M${String(width * fullLoad)} 0v8`} stroke="var(--edge)" strokeDasharray="1.5 1.5" />
    </svg>
  );
}
