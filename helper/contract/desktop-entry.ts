// A desktop entry as the Desktop Entry Specification 1.5 has it, as far as it names a program: which keys it has, and what
// its Exec line starts. Read on both sides: the window's picker shows it, the helper looks for the file behind it.

/** Keys of the group [Desktop Entry], localised ones as they stand there: `Name[de]`. */
export type DesktopEntry = ReadonlyMap<string, string>;

/** What an Exec line leads to. A command without a slash is looked for in PATH. */
export type Started =
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "flatpak"; readonly id: string }
  | { readonly kind: "snap"; readonly name: string }
  /** A shell or interpreter given something to do: the program cannot be told apart from others it runs. */
  | { readonly kind: "interpreter"; readonly command: string };

/** null: no desktop entry of an application. */
export function parseDesktopEntry(text: string): DesktopEntry | null {
  const keys = new Map<string, string>();
  let inside = false;
  for (const raw of text.split("\n")) {
    const line = raw.trim();
    if (line.startsWith("[")) inside = line === "[Desktop Entry]";
    else if (inside && !line.startsWith("#")) {
      const at = line.indexOf("=");
      const key = line.slice(0, at).trim();
      if (at > 0 && !keys.has(key)) keys.set(key, unescape(line.slice(at + 1).trim()));
    }
  }
  return keys.get("Type") === "Application" ? keys : null;
}

/** A key in the language asked for, as "Localized values for keys" orders it: lang_COUNTRY, lang, none. */
export function localised(entry: DesktopEntry, key: string, locale: string): string | null {
  const [language = "", country] = locale.split(/[.@]/)[0]?.split(/[-_]/) ?? [];
  const tried = country === undefined ? [language] : [`${language}_${country}`, language];
  for (const one of tried) {
    const value = entry.get(`${key}[${one}]`);
    if (value !== undefined) return value;
  }
  return entry.get(key) ?? null;
}

/** The words of an Exec line, quotes undone, field codes (%f, %U, …) left out. null: nothing is started. */
export function startedBy(exec: string): Started | null {
  const words = afterEnv(wordsOf(exec));
  const [command, ...rest] = words;
  if (command === undefined || command === "") return null;
  const name = command.slice(command.lastIndexOf("/") + 1);
  if (name === "flatpak" && rest[0] === "run") {
    const id = rest.slice(1).find((word) => !word.startsWith("-"));
    return id === undefined ? null : { kind: "flatpak", id };
  }
  const inSnap = /^(?:\/var\/lib\/snapd)?\/snap\/bin\/([^./]+)/.exec(command)?.[1];
  if (inSnap !== undefined) return { kind: "snap", name: inSnap };
  if (name === "snap" && rest[0] === "run") {
    const app = rest.slice(1).find((word) => !word.startsWith("-"));
    return app === undefined ? null : { kind: "snap", name: app.split(".")[0] ?? app };
  }
  if (rest.length > 0 && interpreters.test(name)) return { kind: "interpreter", command };
  return { kind: "command", command };
}

/** Naming one of these would name everything it ever runs. */
const interpreters =
  /^(?:(?:ba|da|z|k|a|fi)?sh|busybox|(?:python|perl|ruby|node|lua|php|java|mono|wine|electron)[\d.]*|pkexec|sudo|xdg-open|gtk-launch|gio|dbus-launch|systemd-run|nohup|setsid)$/;

/** "string" values: \s, \n, \t, \r and \\. */
function unescape(value: string): string {
  const plain: Readonly<Record<string, string>> = { s: " ", n: "\n", t: "\t", r: "\r", "\\": "\\" };
  return value.replace(/\\(.)/g, (whole, letter: string) => plain[letter] ?? whole);
}

/** "The Exec key": arguments are parted by spaces, or in double quotes, in which ", `, $ and \ have a backslash before. */
function wordsOf(exec: string): readonly string[] {
  const found = exec.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g);
  return [...found]
    .map(([, quoted, plain]) => (quoted === undefined ? (plain ?? "") : quoted.replace(/\\(["`$\\])/g, "$1")))
    .filter((word) => !/^%[a-zA-Z]$/.test(word));
}

/** env(1) with its options and assignments. */
function afterEnv(words: readonly string[]): readonly string[] {
  if (words[0] !== "env" && words[0] !== "/usr/bin/env") return words;
  let at = 1;
  for (let word = words[at]; word !== undefined; word = words[++at]) {
    if (word === "-u" || word === "--unset" || word === "-C" || word === "--chdir") at += 1;
    else if (!word.startsWith("-") && !/^[A-Za-z_]\w*=/.test(word)) break;
  }
  return words.slice(at);
}
