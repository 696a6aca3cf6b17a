// What components take from the stores: the speaker of the language chosen, the second hand, and the facts of now.
import { useMemo } from "react";

import { useClock } from "./stores/clock.ts";
import { useNodes } from "./stores/nodes.ts";
import { useNotes } from "./stores/notes.ts";
import { usePolicy } from "./stores/policy.ts";
import { languageNow, usePreferences } from "./stores/preferences.ts";
import { useStatus } from "./stores/status.ts";
import { latest, useTraffic } from "./stores/traffic.ts";
import type { Facts } from "./view/connect.ts";
import { say, type Part, type Speak } from "./view/say.ts";
import { speaker, type Language } from "./words/speak.ts";

export function useLanguage(): Language {
  return usePreferences(languageNow);
}

export function useSpeak(): Speak {
  const language = useLanguage();
  return useMemo(() => speaker(language), [language]);
}

/** The catalogue's sentence for a key, for labels that need no view function. */
export function useWord(): (key: string, data?: Readonly<Record<string, Part>>) => string {
  const speak = useSpeak();
  return useMemo(
    () =>
      (key, data = {}) =>
        speak(say(key, data)),
    [speak],
  );
}

export function useFacts(): Facts {
  const link = useStatus((store) => store.link);
  const status = useStatus((store) => store.status);
  const nodes = useNodes((store) => store.nodes);
  const chosen = useNodes((store) => store.chosen);
  const policy = usePolicy((store) => store.saved);
  const traffic = useTraffic(latest);
  const away = useNotes((store) => store.away);
  const now = useClock((store) => store.now);
  // a status may be a little newer than the last tick: an age is never negative
  return useMemo(
    () => ({
      ...{ link, status, nodes: nodes ?? [], policy, traffic, chosen, away },
      now: Math.max(now, status?.helper.at ?? 0),
    }),
    [link, status, nodes, policy, traffic, chosen, away, now],
  );
}
