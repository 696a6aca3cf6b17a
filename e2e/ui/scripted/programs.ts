// The machine's programs and accounts as main would list them, for pictures of the picker: each kind once, one with a
// picture of its own, one with a long name.
import type { Account, Program } from "../../../preload/bridge.ts";

const drawn = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#3b6ea5"/><path d="M8 20q8-16 16 0z" fill="#fff"/></svg>`;

export const programs: readonly Program[] = [
  { app: { kind: "desktop", id: "backup.desktop" }, name: "Backup", icon: null, running: true },
  {
    app: { kind: "desktop", id: "browser.desktop" },
    name: "Browser",
    icon: `data:image/svg+xml;base64,${btoa(drawn)}`,
    running: true,
  },
  { app: { kind: "flatpak", id: "org.example.Chess" }, name: "Chess", icon: null, running: false },
  {
    app: { kind: "executable", path: "/usr/lib/bookkeeping/bin/bookkeeping-of-the-whole-house" },
    name: "bookkeeping-of-the-whole-house",
    icon: null,
    running: true,
  },
  { app: { kind: "snap", name: "maps" }, name: "Maps", icon: null, running: false },
  { app: { kind: "desktop", id: "mail.desktop" }, name: "Mail", icon: null, running: false },
  { app: { kind: "unit", name: "cups.service" }, name: "CUPS Scheduler", icon: null, running: true },
  { app: { kind: "unit", name: "postfix.service" }, name: "postfix", icon: null, running: false },
];

export const accounts: readonly Account[] = [
  { uid: 1000, name: "ada" },
  { uid: 1001, name: "zoe" },
  { uid: 65_534, name: "nobody" },
  { uid: 0, name: "root" },
];
