// Two statuses, one after the other → what the desktop is told, though nobody looks at the window: the gate closed, and
// the way open again.
import type { Status } from "../helper/contract/status.ts";
import { type Say, sentenceOf } from "./tray-menu.ts";

export interface Notice {
  readonly title: string;
  readonly body: string;
}

export function noticeOf(before: Status | null, after: Status, say: Say): Notice | undefined {
  const was = before?.state.kind;
  const now = after.state.kind;
  if (now === "locked" && was !== "locked") return { title: sentenceOf(after, say), body: whatLeaves(after, say) };
  if (now === "connected" && was === "locked") return { title: sentenceOf(after, say), body: "" };
  return undefined;
}

/** "Nothing leaves" is untrue where a direct lane stays open by the person's own wish. */
function whatLeaves(status: Status, say: Say): string {
  const direct = new Set(status.direct.map((one) => (one.kind === "lan" ? say("words.lan") : one.text)));
  return direct.size === 0 ? say("words.locked") : say("words.locked-but", { what: [...direct].join(", ") });
}
