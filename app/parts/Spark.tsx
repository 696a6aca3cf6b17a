// The last minute of a rate as one line; the line beneath is nought. A moment without a sample is a gap.
export function Spark({ values, width, height }: { values: readonly number[]; width: number; height: number }) {
  const most = Math.max(1, ...values);
  const slots = 60;
  const shown = values.slice(-slots);
  const x = (i: number): number => ((slots - shown.length + i) * width) / (slots - 1);
  const y = (value: number): number => height - 2 - (value / most) * (height - 4);
  const d = shown.map((value, i) => `${i === 0 ? "M" : "L"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return (
    <svg width={width} height={height} viewBox={`0 0 ${String(width)} ${String(height)}`} aria-hidden="true">
      <path d={`M0 ${String(height - 0.5)}H${String(width)}`} stroke="var(--line)" />
      <path d={d} fill="none" stroke="var(--tunnel)" strokeWidth="1.5" strokeLinejoin="round" />
    </svg>
  );
}
