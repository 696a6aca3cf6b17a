// culvert explain: why a packet goes where it goes, by the model and by the kernel. Nothing is sent but, for a name, the
// question to the resolver.
import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";

import type { App } from "../contract/policy.ts";
import { parseAddress } from "../contract/prefix.ts";
import type { TraceQuestion } from "../contract/trace.ts";
import { readPolicy } from "./policy-file.ts";
import { tellExplanation } from "./tell.ts";
import { type Context, type ExitCode, findNode, finish, refused, type Verb, wrongUse } from "./verb.ts";

export const explain: Verb = {
  arguments: { from: 1, to: 2 },
  async run(context) {
    const { options, words } = context;
    const [target = "", protocol] = context.args;
    const question = questionOf(context, target, protocol);
    if (typeof question === "number") return question;
    const policy = options.policy === undefined ? null : readPolicy(options.policy);
    if (policy?.ok === false) return refused(context, policy.refusal);
    const node = options.node === undefined ? null : await findNode(context.client, options.node);
    if (node?.ok === false) return refused(context, node.refusal);
    const answer = await context.client.request("explain", {
      question,
      ...(policy === null ? {} : { policy: policy.value }),
      ...(node === null ? {} : { node: node.value.id }),
    });
    const code = finish(context, answer, (e) => tellExplanation(words, e));
    // a packet that does not go as it should is for scripts what a refusal is
    return answer.ok && answer.value.findings.length > 0 ? 1 : code;
  },
};

/** `192.0.2.1:443`, `[2001:db8::1]:443`, `example.org:443`, each without the port too. */
export function parseTarget(text: string): { readonly to: string; readonly port: number | null } | null {
  if (parseAddress(text) !== undefined) return { to: text, port: null };
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  const to = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? null : Number(match[3]);
  if (to === undefined || (port !== null && port > 65535)) return null;
  if (match?.[1] !== undefined && parseAddress(to) === undefined) return null;
  return { to, port };
}

/** A path, a program on PATH, or `desktop:`, `flatpak:`, `snap:`, `unit:` with a name. */
export function parseApp(text: string, path = process.env["PATH"] ?? ""): App | null {
  const [, kind, name = ""] = /^(desktop|flatpak|snap|unit):(.+)$/.exec(text) ?? [];
  if (kind === "desktop" || kind === "flatpak") return { kind, id: name };
  if (kind === "snap" || kind === "unit") return { kind, name };
  const found = text.startsWith("/") ? text : onPath(text, path);
  return found === null ? null : { kind: "executable", path: found };
}

/** A name of /etc/passwd or a number. */
export function parseUser(text: string): number | null {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((l) => l.startsWith(`${text}:`));
  const uid = Number(line?.split(":")[2] ?? NaN);
  return Number.isInteger(uid) ? uid : null;
}

function questionOf(context: Context, target: string, protocol: string | undefined): TraceQuestion | ExitCode {
  const { app, user, from, device, incoming } = context.options;
  const where = parseTarget(target);
  const source = from === undefined ? undefined : parseAddress(from);
  if (where === null || !isProtocol(protocol) || (from !== undefined && source === undefined)) return wrongUse(context);
  const program = app === undefined ? undefined : parseApp(app);
  const uid = user === undefined ? (process.getuid?.() ?? 0) : parseUser(user);
  if (program === null) return unknown(context, "no-program", app);
  if (uid === null) return unknown(context, "no-user", user);
  return {
    to: where.to,
    user: uid,
    ...(where.port === null ? {} : { port: where.port }),
    ...(protocol === undefined ? {} : { protocol }),
    ...(program === undefined ? {} : { app: program }),
    ...(source === undefined ? {} : { from: source }),
    ...(device === undefined ? {} : { device }),
    ...(incoming === undefined ? {} : { incoming }),
  };
}

function unknown(context: Context, what: "no-program" | "no-user", name: string | undefined): ExitCode {
  context.note(context.words.say(what, { name: name ?? "" }));
  return 2;
}

function isProtocol(text: string | undefined): text is "tcp" | "udp" | "icmp" | undefined {
  return text === undefined || text === "tcp" || text === "udp" || text === "icmp";
}

function onPath(name: string, path: string): string | null {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return realpathSync(file);
    } catch {
      continue;
    }
  }
  return null;
}
