// How a lane is drawn wherever it is named: full, two rails, dashes that end in a buffer stop.
import type { Lane } from "../../helper/contract/policy.ts";

export function LaneMark({ lane }: { readonly lane: Lane }) {
  return (
    <span className={`lane ${lane}`}>
      <svg viewBox="0 0 26 10" stroke="currentColor" fill="none" aria-hidden="true">
        {lane === "tunnel" && <path d="M0 5h26" strokeWidth="7" />}
        {lane === "direct" && <path d="M0 2.5h26M0 7.5h26" strokeWidth="1.6" />}
        {lane === "block" && (
          <>
            <path d="M0 5h20" strokeWidth="2" strokeDasharray="4 3" />
            <path d="M22 0v10" strokeWidth="3" />
          </>
        )}
      </svg>
    </span>
  );
}
