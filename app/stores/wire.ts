// Ties the stores to the bridge: first the listeners, then the questions, so that nothing that happens between is lost.
// When the helper is linked (again), everything is asked anew; what was known of the old helper may be false.
import type { HelperEvent } from "../../helper/contract/message.ts";
import type { Status } from "../../helper/contract/status.ts";
import type { Bridge, HelperLink } from "../../preload/bridge.ts";
import { useLeaks } from "./leaks.ts";
import { useNodes } from "./nodes.ts";
import { useNotes } from "./notes.ts";
import { usePolicy } from "./policy.ts";
import { usePreferences } from "./preferences.ts";
import { useScreen } from "./screen.ts";
import { useStatus } from "./status.ts";
import { useTraffic } from "./traffic.ts";

/** As long as the first tries of main to reach the helper take; no newcomer should be told in between that it is missing. */
const knockingMs = 700;

/** Returns its own undoing. */
export function wireStores(bridge: Bridge): () => void {
  const undo = [
    bridge.on("helper", (event) => {
      takeEvent(bridge, event);
    }),
    bridge.on("link", (link) => {
      takeLink(bridge, link);
    }),
    bridge.on("preferences", usePreferences.getState().setPreferences),
    bridge.on("environment", usePreferences.getState().setEnvironment),
    bridge.on("show", ({ screen }) => {
      useScreen.getState().show(screen);
    }),
  ];
  void bridge.preferences().then(usePreferences.getState().setPreferences);
  void bridge.environment().then(usePreferences.getState().setEnvironment);
  void bridge.link().then((link) => {
    // main may still be knocking: what it says by itself comes sooner than this
    const settle = (): void => {
      if (useStatus.getState().link === null) takeLink(bridge, link);
    };
    if (link.kind === "absent") setTimeout(settle, knockingMs);
    else settle();
  });
  return () => {
    for (const one of undo) one();
  };
}

function takeEvent(bridge: Bridge, event: HelperEvent): void {
  switch (event.event) {
    case "status":
      takeStatus(bridge, event.data);
      return;
    case "traffic":
      useTraffic.getState().take(event.data);
      return;
    case "nodes":
      useNodes.getState().setNodes(event.data);
      return;
  }
}

function takeLink(bridge: Bridge, link: HelperLink): void {
  const before = useStatus.getState().link;
  useStatus.getState().setLink(link);
  if (link.kind !== "linked") {
    useTraffic.getState().forget();
    useLeaks.getState().forget();
    return;
  }
  if (before?.kind !== "linked" || useStatus.getState().status === null) void askAll(bridge);
}

async function askAll(bridge: Bridge): Promise<void> {
  const [status, nodes] = await Promise.all([
    bridge.helper("status", {}),
    bridge.helper("nodes", {}),
    usePolicy.getState().read(bridge),
  ]);
  const { tellRefusal } = useScreen.getState();
  if (status.ok) takeStatus(bridge, status.value);
  else tellRefusal(status.refusal);
  if (nodes.ok) useNodes.getState().setNodes(nodes.value);
  else tellRefusal(nodes.refusal);
}

function takeStatus(bridge: Bridge, status: Status): void {
  const before = useStatus.getState().status;
  useStatus.getState().setStatus(status);
  if (before !== null && (before.state.kind !== status.state.kind || before.since !== status.since)) {
    useTraffic.getState().forget();
    useLeaks.getState().forget();
    useNotes.getState().forget();
  }
  // it was kept, or it went back by itself
  if (before?.confirm !== undefined && status.confirm === undefined) void usePolicy.getState().read(bridge);
}
