// How names are asked on this machine: systemd-resolved through resolvectl, resolvconf, or the file resolv.conf. Running
// a tool is allowed here alone: the first two have no netlink. The journal's entry is made before anything is changed,
// and says what to put back; what another program has changed since is left as that program wants it.
import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { closeSync, fsyncSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";

import { type Address, parseAddress } from "../contract/prefix.ts";
import type { ResolverFact } from "../plan/facts.ts";
import { resolvconfRecord } from "../plan/numbers.ts";
import type { PlanDns } from "../plan/plan.ts";
import type { Removal } from "../plan/removal.ts";
import { type ResolverEntry, writeDurably } from "./journal.ts";
import { KernelError } from "./kernel.ts";

/** A resolver that takes longer hangs, and the gate is closed meanwhile. */
const toolMs = 5000;
const flush = ["resolvectl", ["flush-caches"]] as const;

export function readResolver(path: string): ResolverFact {
  const target = linkTarget(path);
  return {
    resolvedRunning: resolvedListens() && onPath("resolvectl") !== undefined,
    resolvconf: resolvconfKind(),
    resolvConf: { path, target, servers: serversIn(path), immutable: !canWrite(path) },
  };
}

/** What to put back, from what stands there and what an earlier entry knows. */
export function entryFor(dns: PlanDns, earlier: ResolverEntry | null): ResolverEntry {
  if (dns.by !== "file") return { by: dns.by, link: dns.link, servers: [...dns.servers] };
  const path = realPath(dns.path);
  const text = textOf(dns.servers);
  const now = contentOf(path);
  // ours of before still stands there: what was there first is what goes back
  const same = earlier?.by === "file" && earlier.path === path && now !== null && wrote(earlier, now);
  if (same) return { ...earlier, ours: [...earlier.ours.filter((t) => t !== text), text] };
  const mode = now === null ? 0o644 : statSync(path).mode & 0o777;
  return { by: "file", path, before: now?.toString("base64") ?? null, mode, ours: [text] };
}

/** Whether one takes the other's place by itself; else the earlier one must be undone first. */
export function sameWay(a: ResolverEntry, b: ResolverEntry): boolean {
  return a.by === b.by && (a.by !== "file" || b.by !== "file" || a.path === b.path);
}

/** Tells the machine. Gives the commands it equals; none when it stands there already. */
export async function setResolver(entry: ResolverEntry, fresh: boolean): Promise<readonly string[]> {
  switch (entry.by) {
    case "file": {
      const text = entry.ours.at(-1) ?? "";
      if (contentOf(entry.path)?.toString() === text) return [];
      replaceFile(entry.path, text, entry.mode);
      return [`printf '${text.replaceAll("\n", "\\n")}' > ${entry.path}`];
    }
    case "resolved": {
      if (!fresh) return [];
      const { link, servers } = entry;
      return inTurn([
        ["resolvectl", ["dns", link, ...servers]],
        ["resolvectl", ["domain", link, "~."]],
        ["resolvectl", ["default-route", link, "yes"]],
        flush,
      ]);
    }
    case "resolvconf": {
      if (!fresh) return [];
      const text = textOf(entry.servers);
      const args = ["-a", resolvconfRecord(entry.link), "-m", "0", "-x"];
      await run("resolvconf", args, text);
      return [`printf '${text.replaceAll("\n", "\\n")}' | resolvconf ${args.join(" ")}`];
    }
  }
}

/** Puts back what the entry knows. What another program wrote since stays. */
export async function undoResolver(entry: ResolverEntry): Promise<readonly string[]> {
  switch (entry.by) {
    case "file": {
      const now = contentOf(entry.path);
      if (now === null || !wrote(entry, now)) return [];
      if (entry.before === null) {
        rmSync(entry.path);
        return [`rm ${entry.path}`];
      }
      replaceFile(entry.path, Buffer.from(entry.before, "base64"), entry.mode);
      return [`cp resolv.conf.before-culvert ${entry.path}`];
    }
    case "resolved":
      try {
        // a link that is gone took its servers along
        if (hasLink(entry.link)) return await inTurn([["resolvectl", ["revert", entry.link]], flush]);
        return await inTurn([flush]);
      } catch (error) {
        if (resolvedListens()) throw error;
        // who does not run asks nobody, and must not keep the rest from being undone
        return [];
      }
    case "resolvconf":
      return forget(resolvconfRecord(entry.link));
  }
}

/** Servers of a tunnel that is gone, struck where they stand. */
export async function dropNames(thing: Extract<Removal, { kind: "names.drop" | "names.record" }>): Promise<void> {
  if (thing.kind === "names.record") {
    await forget(thing.record);
    return;
  }
  const path = realPath(thing.path);
  const gone: readonly string[] = thing.servers;
  const lines = (contentOf(path)?.toString() ?? "").split("\n").filter((line) => {
    const [word, server = ""] = line.trim().split(/\s+/);
    return word !== "nameserver" || !gone.includes(server);
  });
  const text = lines.join("\n").replace(/\n*$/, "\n") + (thing.instead === null ? "" : `nameserver ${thing.instead}\n`);
  replaceFile(path, text, statSync(path).mode & 0o777);
}

/** Whether the machine asks as the entry says; tools are believed, files are read. */
export function stands(entry: ResolverEntry): boolean {
  return entry.by !== "file" || contentOf(entry.path)?.toString() === entry.ours.at(-1);
}

function wrote(entry: Extract<ResolverEntry, { by: "file" }>, content: Buffer): boolean {
  return entry.ours.includes(content.toString());
}

function textOf(servers: readonly string[]): string {
  return servers.map((server) => `nameserver ${server}\n`).join("");
}

/** In one step where the folder allows it; a file that is mounted by itself (containers) can only be written over. */
function replaceFile(path: string, content: string | Buffer, mode: number): void {
  try {
    writeDurably(path, content, mode);
    return;
  } catch (error) {
    const code = codeOf(error);
    if (!["EBUSY", "EXDEV", "EROFS", "EACCES"].includes(code)) throw new KernelError("writing", path, code, error);
  }
  try {
    const fd = openSync(path, "r+");
    try {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      writeSync(fd, bytes, 0, bytes.length, 0);
      ftruncateSync(fd, bytes.length);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new KernelError("writing", path, codeOf(error), error);
  }
}

/** `-f` (openresolv: a record that is not there is no error) stands last: Debian's takes its first word for the command. */
function forget(record: string): Promise<readonly string[]> {
  return inTurn([["resolvconf", ["-d", record, "-f"]]]);
}

async function inTurn(commands: readonly (readonly [string, readonly string[]])[]): Promise<readonly string[]> {
  const done: string[] = [];
  for (const [tool, args] of commands) {
    await run(tool, args, "");
    done.push([tool, ...args.map((a) => (a === "~." ? "'~.'" : a))].join(" "));
  }
  return done;
}

function run(tool: string, args: readonly string[], input: string): Promise<void> {
  return new Promise((done, fail) => {
    const options = { timeout: toolMs, env: { ...process.env, LC_ALL: "C" } };
    const child = execFile(tool, [...args], options, (error, _out, said) => {
      if (error === null) done();
      else fail(new KernelError("running", [tool, ...args].join(" "), said.trim().slice(0, 200) || error.message));
    });
    // a tool that ends without reading is judged by how it ended; unheard, EPIPE would end the helper
    child.stdin?.on("error", () => undefined).end(input);
  });
}

function serversIn(path: string): readonly Address[] {
  const lines = contentOf(path)?.toString().split("\n") ?? [];
  return lines.flatMap((line) => {
    const [word, server] = line.trim().split(/\s+/);
    // a zone (fe80::1%eth0) is not part of the address
    const address = word === "nameserver" ? parseAddress((server ?? "").split("%")[0] ?? "") : undefined;
    return address === undefined ? [] : [address];
  });
}

/**
 * Debian's resolvconf is a package of its own, told by a part that openresolv has not; its /etc stays when it is removed.
 * While its updates are switched off (resolvconf(8)) it changes nothing. systemd's is resolvectl under another name, and
 * no third way.
 */
function resolvconfKind(): ResolverFact["resolvconf"] {
  const path = onPath("resolvconf");
  if (path === undefined || realPath(path).endsWith("resolvectl")) return "none";
  if (!existsSync("/lib/resolvconf/list-records")) return "openresolv";
  return existsSync("/run/resolvconf/enable-updates") ? "debian" : "none";
}

function canWrite(path: string): boolean {
  const target = realPath(path);
  try {
    // no file yet is no hindrance; `chattr +i` refuses root with EPERM, a mount with EROFS
    closeSync(openSync(target, "r+"));
    return true;
  } catch (error) {
    return codeOf(error) === "ENOENT" && existsSync(dirname(target));
  }
}

function contentOf(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw new KernelError("reading", path, codeOf(error), error);
  }
}

/** Not /sys/class/net: that shows the network namespace it was mounted in, which need not be ours. */
function hasLink(name: string): boolean {
  // one line a link; shorter names than six letters are indented
  const lines = readFileSync("/proc/net/dev", "utf8").split("\n");
  return lines.some((line) => line.trimStart().startsWith(`${name}:`));
}

/** All links followed, also to a file that is not there. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const target = linkTarget(path);
    return target === null ? path : resolve(dirname(path), target);
  }
}

function linkTarget(path: string): string | null {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return null;
  }
}

/** Bound by a living process of this network namespace: the socket's file stays where it was when systemd-resolved ends. */
function resolvedListens(): boolean {
  return /\s\/run\/systemd\/resolve\/io\.systemd\.Resolve$/m.test(readFileSync("/proc/net/unix", "utf8"));
}

function onPath(tool: string): string | undefined {
  const folders = (process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin").split(delimiter);
  return folders.map((folder) => join(folder, tool)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "EIO";
}
