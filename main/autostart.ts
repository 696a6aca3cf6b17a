// Start with the desktop: one .desktop file in the user's autostart folder, written and removed by the preference.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export function setAutostart(on: boolean, command: readonly string[]): void {
  const folder = join(process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config"), "autostart");
  const file = join(folder, "culvert.desktop");
  if (!on) return rmSync(file, { force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, desktopEntry(command));
}

export function desktopEntry(command: readonly string[]): string {
  const lines = ["[Desktop Entry]", "Type=Application", "Name=Culvert", `Exec=${command.map(quote).join(" ")}`];
  return `${lines.join("\n")}\nIcon=culvert\nTerminal=false\nX-GNOME-Autostart-enabled=true\n`;
}

/** Desktop Entry Specification, "The Exec key": quoted, with \ " ` $ escaped, once more for the string itself, and %%. */
function quote(word: string): string {
  if (/^[\w@:./=-]+$/.test(word)) return word;
  return `"${word
    .replace(/[\\"`$]/g, (c) => `\\${c}`)
    .replace(/\\/g, "\\\\")
    .replace(/%/g, "%%")}"`;
}
