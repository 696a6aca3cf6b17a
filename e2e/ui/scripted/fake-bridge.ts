// The bridge laid in a page without main: for screenshots in any Chromium. Bundled and run before the window's own script.
// The page says by `culvertScript` which scenario it wants and how the desktop is.
import type { Bridge, Environment, EventName, Events, HelperLink, Preferences } from "../../../preload/bridge.ts";
import { accounts, programs } from "./programs.ts";
import { goodConf, scenarios } from "./scenarios.ts";
import { createWorld } from "./world.ts";

export interface Script {
  readonly scenario: string;
  readonly link: HelperLink;
  readonly preferences: Partial<Preferences>;
  readonly environment: Partial<Environment>;
}

declare global {
  interface Window {
    culvertScript: Script;
  }
}

const script = window.culvertScript;
const scenario = scenarios(Date.now())[script.scenario];
if (scenario === undefined) throw new Error(`no scenario ${script.scenario}`);
const world = createWorld(scenario);
let preferences: Preferences = { theme: "system", language: "en", tray: true, autostart: false, ...script.preferences };
const environment: Environment = {
  locale: "en-GB",
  dark: false,
  trayAvailable: true,
  version: "0.1.0",
  electron: "fake",
  ...script.environment,
};
const listeners: { [E in EventName]: Set<(data: Events[E]) => void> } = {
  helper: new Set(),
  link: new Set(),
  preferences: new Set(),
  environment: new Set(),
  show: new Set(),
};
world.onEvent((event) => {
  for (const listener of listeners.helper) listener(event);
});

const bridge: Bridge = {
  helper: (name, params) => world.answer(name, params),
  link: async () => script.link,
  preferences: async () => preferences,
  setPreferences: async (change) => {
    preferences = { ...preferences, ...change };
    return preferences;
  },
  chooseConfiguration: async () => ({ name: "lindal.conf", text: goodConf }),
  apps: async () => programs,
  accounts: async () => accounts,
  chooseProgram: async () => "/opt/measure/bin/measure",
  saveText: async () => true,
  environment: async () => environment,
  on: (event, listener) => {
    listeners[event].add(listener);
    return () => listeners[event].delete(listener);
  },
};
Object.assign(window, { culvert: bridge, culvertWorld: world, culvertSay: listeners });
