// The window's second hand: ages ("12 s ago") move on with it. It rests while nobody can see the window.
import { create } from "zustand";

export const useClock = create<{ readonly now: number }>(() => ({ now: Date.now() }));

/** Returns its own stop. */
export function startClock(): () => void {
  const tick = (): void => {
    if (!document.hidden) useClock.setState({ now: Date.now() });
  };
  const timer = setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
  return () => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", tick);
  };
}
