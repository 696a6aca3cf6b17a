// culvert import FILE [--name NAME]: adds a WireGuard configuration file. Read and checked here already, so that a file of any
// size or of any bytes is refused at this door too, and so that what the file orders but Culvert does not follow can be said.
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { basename } from "node:path";

import { maxConfBytes } from "../contract/message.ts";
import { type Answer, grant, refuse, type Refusal } from "../contract/refusal.ts";
import { parseConf } from "../nodes/conf.ts";
import { answerWith, type Context, type ExitCode, refused, type Verb } from "./verb.ts";

export const importNode: Verb = {
  arguments: { from: 1, to: 1 },
  async run(context) {
    const [path = ""] = context.args;
    const text = readText(path);
    if (!text.ok) return notAdded(context, text.refusal);
    const parsed = parseConf(text.value);
    if (!parsed.ok) return notAdded(context, parsed.refusal);
    for (const { line, text: word } of parsed.value.ignored) context.note(context.words.say("ignored", { line, word }));
    const name = context.name ?? parsed.value.place.city ?? basename(path).replace(/\.conf$/i, "");
    const params = { text: text.value, name: name.slice(0, 120) };
    return answerWith(context, "import", params, (n) => context.words.say("imported", { node: n.name }));
  },
};

/** In a sentence of its own: a newcomer wonders whether half of the file was taken. */
function notAdded(context: Context, refusal: Refusal): ExitCode {
  const { errno, text: path } = refusal.data;
  const unread = errno === "ENOENT" ? "no-file" : errno === "EACCES" ? "file-closed" : null;
  if (unread !== null && !context.json) context.note(context.words.say(unread, { path: String(path) }));
  else refused(context, refusal);
  if (!context.json) context.note(context.words.say("nothing-added", {}));
  return 1;
}

function readText(path: string): Answer<string> {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    const errno = error instanceof Error && "code" in error ? String(error.code) : "EIO";
    return refuse("conf.not-text", { line: 0, text: path, errno });
  }
  try {
    const stat = fstatSync(fd);
    if (stat.size > maxConfBytes) return refuse("conf.too-big", { bytes: maxConfBytes });
    if (!stat.isFile()) return refuse("conf.not-text", { line: 0, text: path });
    return grant(new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(fd)));
  } catch {
    return refuse("conf.not-text", { line: 0, text: path });
  } finally {
    closeSync(fd);
  }
}
