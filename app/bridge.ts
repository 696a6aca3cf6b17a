// The door to main, and the only file that touches what preload laid on `window`. Everything else takes it from here, so
// that all the window can ask for is what preload/bridge.ts lists.
import type { Bridge } from "../preload/bridge.ts";

declare global {
  interface Window {
    /** Laid by preload under `bridgeKey`; missing only when the page is opened outside Culvert. */
    readonly culvert?: Bridge;
  }
}

export function bridge(): Bridge {
  const door = window.culvert;
  if (door === undefined) throw new Error("this page belongs to Culvert's window and cannot run outside it");
  return door;
}
