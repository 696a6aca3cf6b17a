// A configuration file as it may be shown before it is added: its lines, with the secrets covered. The window does not
// understand the file; that is the helper's work. It only must not put a private key on the screen.
export interface PreviewLine {
  readonly number: number;
  readonly text: string;
}

/** The contract's own limit (contract/message.ts), held equal by a test: importing it would bring the parsers along. */
export const maxConfBytes = 64 * 1024;

/** A key of 32 bytes in base64 is 44 letters; whatever follows a name that says it is secret is covered as well. */
const secretName = /^(\s*(?:private|preshared)\s*-?_?key\s*[=:]\s*)(\S.*)$/i;
const longSecret = /[A-Za-z0-9+/]{43}=/g;
const publicName = /^\s*publickey\s*=/i;

export function previewLines(text: string): readonly PreviewLine[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ number: index + 1, text: covered(line) }));
}

/** `harbourton.conf` → `harbourton`; what a pasted text is called is asked for. */
export function nameFromFile(file: string): string {
  return file
    .replace(/^.*[\\/]/, "")
    .replace(/\.(conf|txt)$/i, "")
    .slice(0, 120);
}

function covered(line: string): string {
  const secret = secretName.exec(line);
  if (secret !== null) return `${secret[1] ?? ""}••••••••`;
  return publicName.test(line) ? line : line.replace(longSecret, "••••••••");
}
