// The window: rail, strip of now, one screen. Before the helper can be used the whole window is the first run's.
import { lazy, Suspense, useEffect } from "react";

import { useFacts, useLanguage } from "./hooks.ts";
import { AddNode } from "./parts/AddNode.tsx";
import { Announcer } from "./parts/Announcer.tsx";
import { Confirm } from "./parts/Confirm.tsx";
import { KeepWayIn } from "./parts/KeepWayIn.tsx";
import { Notice } from "./parts/Notice.tsx";
import { NowStrip } from "./parts/NowStrip.tsx";
import { Rail } from "./parts/Rail.tsx";
import { Connect } from "./screens/Connect.tsx";
import { FirstRun } from "./screens/FirstRun.tsx";
import { Leaks } from "./screens/Leaks.tsx";
import { Nodes } from "./screens/Nodes.tsx";
import { Settings } from "./screens/Settings.tsx";
import { useNodes } from "./stores/nodes.ts";
import { themeNow, usePreferences } from "./stores/preferences.ts";
import { screens, useScreen, type ScreenName } from "./stores/screen.ts";
import { useStatus } from "./stores/status.ts";
import s from "./App.module.css";

// Lanes brings the prefix parser with it, which no other screen needs
const Lanes = lazy(() => import("./screens/Lanes.tsx").then((module) => ({ default: module.Lanes })));

const views: Record<ScreenName, React.ComponentType> = {
  connect: Connect,
  nodes: Nodes,
  lanes: Lanes,
  leaks: Leaks,
  settings: Settings,
};

export function App() {
  useDocument();
  useShortcuts();
  const screen = useScreen((store) => store.screen);
  const adding = useScreen((store) => store.adding);
  const first = useFirstRun();
  const Screen = views[screen];
  if (first !== null) {
    return (
      <>
        <FirstRun reason={first} />
        <Announcer />
        <Notice />
      </>
    );
  }
  return (
    <div className={s.window}>
      <Rail />
      <main className={s.main}>
        {screen !== "connect" && <NowStrip />}
        <Confirm />
        <Suspense fallback={<div className="page" />}>
          <Screen />
        </Suspense>
      </main>
      {adding && <AddNode />}
      <KeepWayIn />
      <Announcer />
      <Notice />
    </div>
  );
}

/** Why the window cannot be used yet; null when it can. Settings stay open to a person whose helper is missing. */
function useFirstRun(): "absent" | "not-allowed" | "wrong-version" | "no-nodes" | null {
  const link = useStatus((store) => store.link);
  const lost = useStatus((store) => store.lost);
  const nodes = useNodes((store) => store.nodes);
  const { status } = useFacts();
  const screen = useScreen((store) => store.screen);
  if (screen === "settings") return null;
  if (link !== null && link.kind !== "linked") return lost && link.kind === "absent" ? null : link.kind;
  const empty = nodes?.length === 0 && (status?.state.kind === "off" || status?.state.kind === "failed");
  return empty && screen === "connect" ? "no-nodes" : null;
}

function useDocument(): void {
  const theme = usePreferences(themeNow);
  const language = useLanguage();
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    document.documentElement.lang = language === "zh" ? "zh-Hans" : language;
  }, [theme, language]);
}

/** Ctrl+1…5 and Ctrl+, show screens, / searches the nodes. Esc belongs to whatever is open. */
function useShortcuts(): void {
  const show = useScreen((store) => store.show);
  const dismiss = useScreen((store) => store.dismiss);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      const modified = event.ctrlKey || event.metaKey;
      const open = document.querySelector("dialog[open]") !== null;
      if (open || event.defaultPrevented || event.altKey) return;
      const screen = modified ? (event.key === "," ? "settings" : screens[Number(event.key) - 1]) : undefined;
      if (screen !== undefined) {
        event.preventDefault();
        show(screen);
      } else if (event.key === "/" && !modified && !isTyping(event.target)) {
        event.preventDefault();
        show("nodes");
        // the field appears with the screen
        requestAnimationFrame(() => document.querySelector<HTMLInputElement>("input[type=search]")?.focus());
      } else if (event.key === "Escape") dismiss();
    };
    window.addEventListener("keydown", press);
    return () => {
      window.removeEventListener("keydown", press);
    };
  }, [show, dismiss]);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}
