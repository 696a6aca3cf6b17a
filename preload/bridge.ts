// The only contract between window and main: every call and every event, with direction and types. The window never
// sees a channel name; main and preload derive theirs from the keys here. Requests to the helper pass through main,
// which checks the sender and forwards; main adds nothing to them but its own canaries to a leak check.
import type { HelperEvent, Params, RequestName, Result } from "../helper/contract/message.ts";
import type { App } from "../helper/contract/policy.ts";
import type { Answer } from "../helper/contract/refusal.ts";

export interface Preferences {
  readonly theme: "system" | "light" | "dark";
  readonly language: "system" | "en" | "ru" | "zh";
  /** Keep running in the tray when the window is closed. */
  readonly tray: boolean;
  readonly autostart: boolean;
}

/** Where the link to the helper stands. */
export type HelperLink =
  | { readonly kind: "linked"; readonly version: string }
  | { readonly kind: "absent" }
  | { readonly kind: "not-allowed" }
  | { readonly kind: "wrong-version"; readonly version: string };

/** A program of this machine as the picker shows it; main/apps.ts finds them, each once, in the order of their names. */
export interface Program {
  /** How a rule names it. A running program without a desktop entry, Flatpak, snap or unit is its executable. */
  readonly app: App;
  /** Its own name in the desktop's language, never empty. */
  readonly name: string;
  /** A data: URL of a small picture (PNG or SVG, at most 64 KiB), or null where it has none. */
  readonly icon: string | null;
  readonly running: boolean;
}

/** An account of this machine that a person or a service runs programs as. */
export interface Account {
  readonly uid: number;
  readonly name: string;
}

/** window → main, answered. */
export interface Calls {
  /** One request to the helper, as the contract has it. */
  helper<N extends RequestName>(name: N, params: Params<N>): Promise<Answer<Result<N>>>;
  link(): Promise<HelperLink>;
  preferences(): Promise<Preferences>;
  setPreferences(change: Partial<Preferences>): Promise<Preferences>;
  /** A file dialog for one configuration file; null when the person cancels. */
  chooseConfiguration(): Promise<{ readonly name: string; readonly text: string } | null>;
  /** The programs a rule can name, read anew each time. */
  apps(): Promise<readonly Program[]>;
  /** The accounts of this machine. */
  accounts(): Promise<readonly Account[]>;
  /** A file dialog for one executable; its absolute path, or null when the person cancels. */
  chooseProgram(): Promise<string | null>;
  /** Saves a text the window made (a report) where the person says; false when cancelled. */
  saveText(suggestedName: string, text: string): Promise<boolean>;
  /** Language and theme of the desktop, versions, whether a tray is there. */
  environment(): Promise<Environment>;
}

export interface Environment {
  readonly locale: string;
  readonly dark: boolean;
  readonly trayAvailable: boolean;
  readonly version: string;
  readonly electron: string;
}

/** main → window. */
export interface Events {
  helper: HelperEvent;
  link: HelperLink;
  preferences: Preferences;
  environment: Environment;
  /** The tray or a shortcut asks for a screen. */
  show: { readonly screen: "connect" | "nodes" | "lanes" | "leaks" | "settings" };
}

export type CallName = keyof Calls;
export type EventName = keyof Events;

export interface Bridge extends Calls {
  on<E extends EventName>(event: E, listener: (data: Events[E]) => void): () => void;
}

export const callNames = [
  "helper",
  "link",
  "preferences",
  "setPreferences",
  "chooseConfiguration",
  "apps",
  "accounts",
  "chooseProgram",
  "saveText",
  "environment",
] as const satisfies readonly CallName[];
export const eventNames = [
  "helper",
  "link",
  "preferences",
  "environment",
  "show",
] as const satisfies readonly EventName[];
/** The name under which preload exposes the bridge. */
export const bridgeKey = "culvert";

/** Channel names; nobody writes one by hand. */
export const callChannel = (name: CallName): string => `${bridgeKey}:call:${name}`;
export const eventChannel = (name: EventName): string => `${bridgeKey}:event:${name}`;
