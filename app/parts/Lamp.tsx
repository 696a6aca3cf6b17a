// The mark: a road over an arch; what stands in the opening is the state. Empty is off, rising water is connecting (it
// rises with the real steps), full is proven, outlined is protected but not proven just now, a grate is blocked.
import type { LampState } from "../view/situation.ts";

const road = "M.5 4h23";
const arch = "M.5 20.5H5.5V14.5a6.5 6.5 0 0 1 13 0V20.5H23.5";
const full = "M8.5 21.5V14.5a3.5 3.5 0 0 1 7 0V21.5z";

export function Lamp({ state, size, water = 0.5 }: { state: LampState; size?: number | undefined; water?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" color="var(--state)" aria-hidden="true">
      <Frame />
      {state === "protected" && <path d={full} fill="currentColor" />}
      {(state === "unproven" || state === "stale") && (
        <path d={full} fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinejoin="round" />
      )}
      {state === "connecting" && (
        <>
          <clipPath id="opening">
            <path d={full} />
          </clipPath>
          <rect
            x="8"
            y={20 - 8 * water}
            width="8"
            height={1.5 + 8 * water}
            fill="currentColor"
            clipPath="url(#opening)"
          />
        </>
      )}
      {state === "locked" && <path d="M10 8.8V21.5M14 8.8V21.5" stroke="currentColor" strokeWidth="2" />}
      {(state === "unknown" || state === "leaking") && (
        <path d="M12 13.5v3M12 19v.6" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      )}
    </svg>
  );
}

export function Logo({ size = 24 }: { readonly size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <Frame />
    </svg>
  );
}

function Frame() {
  return (
    <>
      <path d={road} fill="none" stroke="currentColor" strokeWidth="2" />
      <path d={arch} fill="none" stroke="currentColor" strokeWidth="2" />
    </>
  );
}
