// Two statuses, one after the other → what the desktop is told, though nobody looks at the window: the gate closed, and
// the way open again.
import type { Status } from "../helper/contract/status.ts";
import type { Say } from "./tray-menu.ts";

export interface Notice {
  readonly title: string;
  readonly body: string;
}

export function noticeOf(before: Status | null, after: Status, say: Say): Notice | undefined {
  const was = before?.state.kind;
  const { state } = after;
  if (state.kind === "locked" && was !== "locked")
    return { title: say("tray.locked", { node: state.node.name }), body: say("notice.locked") };
  if (state.kind === "connected" && was === "locked")
    return { title: say("tray.protected", { node: state.node.name }), body: say("notice.unlocked") };
  return undefined;
}
