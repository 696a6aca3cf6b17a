// How the window looks and speaks: the person's preferences over the desktop's wishes.
import { create } from "zustand";

import type { Bridge, Environment, Preferences } from "../../preload/bridge.ts";
import { languageOf, type Language } from "../words/speak.ts";

export interface PreferencesStore {
  readonly preferences: Preferences;
  readonly environment: Environment;
  readonly setPreferences: (preferences: Preferences) => void;
  readonly setEnvironment: (environment: Environment) => void;
  readonly change: (bridge: Bridge, change: Partial<Preferences>) => Promise<void>;
}

export const usePreferences = create<PreferencesStore>((set) => ({
  preferences: { theme: "system", language: "system", tray: true, autostart: false },
  environment: { locale: "en", dark: false, trayAvailable: false, version: "", electron: "" },
  setPreferences: (preferences) => {
    set({ preferences });
  },
  setEnvironment: (environment) => {
    set({ environment });
  },
  // shown when main has kept it, so that the window never shows a preference that was not saved
  change: async (bridge, change) => {
    set({ preferences: await bridge.setPreferences(change) });
  },
}));

export const languageNow = ({ preferences, environment }: PreferencesStore): Language =>
  preferences.language === "system" ? languageOf(environment.locale) : preferences.language;

export const themeNow = ({ preferences, environment }: PreferencesStore): "light" | "dark" => {
  if (preferences.theme !== "system") return preferences.theme;
  return environment.dark ? "dark" : "light";
};
