// What others did to what is ours, as the status shows it: changes that were mended, of which it is known only after the
// mending whether they hurt; and announcements that come when another change has had it mended already.
import type { Drift } from "../contract/status.ts";
import type { Change } from "../kernel/kernel.ts";

export interface Drifts {
  /** Something of the machine was changed. */
  touched(change: Change): void;
  /** What is ours was read back: it had been changed and is laid again, or had not. */
  judged(mended: boolean): void;
  /** Taken away on the user's word. */
  repaired(drift: Drift): void;
  list(offered: readonly Drift[]): readonly Drift[];
}

const kept = 20;
/** Announcements of what is mended already may come so much after it: two readings of a busy machine. */
const lateMs = 500;
/** Of changes of which it is not known yet whether they hurt. */
const touchedKept = 64;

export function watchDrifts(now: () => number): Drifts {
  let drifts: readonly Drift[] = [];
  let touched: readonly Change[] = [];
  let mendedAt = -Infinity;
  const add = (...more: readonly Drift[]): void => {
    drifts = [...drifts, ...more].slice(-kept);
  };
  return {
    touched(change) {
      touched = [...touched, change].slice(-touchedKept);
    },
    judged(mended) {
      const changes = touched;
      touched = [];
      if (mended) mendedAt = now();
      // told of only after another change had it mended already
      if (now() - mendedAt >= lateMs) return;
      const ours = changes.filter((change) => change.ours);
      add(...ours.map(({ at, what, author }) => ({ at, what: what.slice(0, 400), author, mended: true })));
    },
    repaired(drift) {
      add(drift);
    },
    list: (offered) => [...drifts, ...offered].slice(-kept),
  };
}
