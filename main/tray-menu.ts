// (pure) Status, nodes and language → what the tray shows: icon, words beside it, menu. A click gives an action as a
// value; tray.ts carries it out.
import type { Node } from "../helper/contract/node.ts";
import type { Status } from "../helper/contract/status.ts";

/** A sentence of the catalogue by its key, filled with data. */
export type Say = (key: string, data?: Readonly<Record<string, string>>) => string;

export type TrayIcon = "off" | "connecting" | "protected" | "locked";

export type TrayAction =
  | { readonly kind: "connect"; readonly node: string }
  | { readonly kind: "disconnect" }
  | { readonly kind: "open" }
  | { readonly kind: "add-node" }
  | { readonly kind: "quit" };

export type TrayItem =
  | { readonly kind: "line" }
  /** Said, not clickable. */
  | { readonly kind: "text"; readonly label: string }
  | { readonly kind: "action"; readonly label: string; readonly action: TrayAction; readonly checked?: boolean };

export interface TrayView {
  readonly icon: TrayIcon;
  readonly tooltip: string;
  readonly items: readonly TrayItem[];
}

/** Status null: no link to the helper, so nothing may be claimed. */
export function trayView(status: Status | null, nodes: readonly Node[], say: Say): TrayView {
  const sentence = sentenceOf(status, say);
  return {
    icon: iconOf(status),
    tooltip: `Culvert: ${sentence}`,
    items: [
      { kind: "text", label: sentence },
      ...main(status, nodes, say),
      ...recent(status, nodes),
      { kind: "line" },
      { kind: "action", label: say("tray.open"), action: { kind: "open" } },
      // whoever ends the window should know that the gate and the tunnel are not the window's
      { kind: "action", label: say(holds(status) ? "tray.quit-protected" : "tray.quit"), action: { kind: "quit" } },
    ],
  };
}

/** Most recently used first, then favourites; at most this many, so that the menu stays a glance. */
const recentCount = 5;

export function recentNodes(nodes: readonly Node[]): readonly Node[] {
  const used = nodes.filter((n) => n.lastUsed !== null).sort((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0));
  const liked = nodes.filter((n) => n.lastUsed === null && n.favourite);
  return [...used, ...liked].slice(0, recentCount);
}

function iconOf(status: Status | null): TrayIcon {
  switch (status?.state.kind) {
    case "connected":
      return "protected";
    case "connecting":
    case "switching":
      return "connecting";
    case "locked":
      return "locked";
    case "off":
    case "failed":
    case undefined:
      return "off";
  }
}

/** The same words as the window's, and never more: "protected" is the helper's word, "proven" is the window's to say. */
export function sentenceOf(status: Status | null, say: Say): string {
  if (status === null) return say("now.unheard");
  const { state } = status;
  switch (state.kind) {
    case "off":
      return say(status.uplinks.length === 0 ? "now.no-uplink" : "now.off");
    case "failed":
      return say("now.failed");
    case "connecting":
      return say("now.connecting", { node: state.node.name });
    case "connected":
      return `${say("now.protected")} · ${state.node.name}`;
    case "switching":
      return say("now.switching", { node: state.to.name });
    case "locked":
      return say(`now.locked.${state.cause}`, { node: state.node.name });
  }
}

/** The one thing that a hand at the tray most likely wants now. */
function main(status: Status | null, nodes: readonly Node[], say: Say): readonly TrayItem[] {
  if (status === null) return [];
  if (status.state.kind === "locked")
    // while locked nothing leaves: disconnecting then is what lets traffic out into the open, and must say so
    return [{ kind: "action", label: say("tray.disconnect-locked"), action: { kind: "disconnect" } }];
  if (holds(status)) return [{ kind: "action", label: say("act.disconnect"), action: { kind: "disconnect" } }];
  const first = recentNodes(nodes)[0] ?? nodes[0];
  if (first === undefined) return [{ kind: "action", label: say("add.title"), action: { kind: "add-node" } }];
  // without a network it would be refused, and the first line says that there is none
  if (status.uplinks.length === 0) return [];
  const label = say("act.connect", { node: first.name });
  return [{ kind: "action", label, action: { kind: "connect", node: first.id } }];
}

const holds = (status: Status | null): boolean =>
  status !== null && status.state.kind !== "off" && status.state.kind !== "failed";

function recent(status: Status | null, nodes: readonly Node[]): readonly TrayItem[] {
  const few = recentNodes(nodes);
  if (status === null || few.length === 0) return [];
  if (status.uplinks.length === 0 && !holds(status)) return [];
  const now = currentNode(status);
  return [
    { kind: "line" },
    ...few.map((node): TrayItem => ({
      kind: "action",
      label: node.name,
      action: { kind: "connect", node: node.id },
      checked: node.id === now,
    })),
  ];
}

function currentNode({ state }: Status): string | undefined {
  switch (state.kind) {
    case "connecting":
    case "connected":
    case "locked":
      return state.node.id;
    case "switching":
      return state.to.id;
    case "off":
    case "failed":
      return undefined;
  }
}
