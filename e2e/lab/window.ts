// The person's window in a lab machine, steered from outside of it: an ordinary account of the group "culvert" where the
// lab has more than one account (as root), and the Chromium sandbox on.
import { type ChildProcess, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { hasUser } from "./account.ts";
import { houseAt, seenAt } from "./house.ts";
import type { Lab } from "./lab.ts";
import type { Machine } from "./machine.ts";
import type { Order, Told } from "./window-child.ts";

export interface Window {
  order(order: Order): Promise<unknown>;
  click(role: "button" | "link" | "tab" | "radio" | "switch", name: string): Promise<void>;
  waitFor(css: string, timeoutMs?: number): Promise<void>;
  text(css: string): Promise<string>;
  close(): Promise<void>;
  /** When the driver is gone, by whatever way. */
  readonly closed: Promise<void>;
  /** From start to a window that shows its first heading, milliseconds. */
  readonly startedMs: number;
}

/** The person's account in the machine; only ids, so that the machine's own files need not know it. */
export const person = { uid: 1000, gid: 1000, group: 990 } as const;
const house = "/run/culvert-lab/house";

/**
 * Opens the window on `machine`. Electron and this house are mounted under /run/culvert-lab there, because the person may
 * not look into the folder of whoever started the lab.
 */
export async function openWindow(lab: Lab, machine: Machine, language = "en"): Promise<Window> {
  const electron = process.env["CULVERT_ELECTRON"] ?? "";
  if (!existsSync(electron)) throw new Error("no Electron: set CULVERT_ELECTRON");
  const ordinary = await hasAccounts(machine);
  const home = join(lab.folder, "home");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const display = displayFor(home, ordinary);
  await machine.exec(
    `${houseAt(house)}
     mkdir -p /run/culvert-lab/electron /run/culvert-lab/home
     mountpoint -q /run/culvert-lab/electron || mount --bind '${dirname(electron)}' /run/culvert-lab/electron
     mountpoint -q /run/culvert-lab/home || mount --bind '${home}' /run/culvert-lab/home`,
  );
  const child = start(machine, ordinary, {
    ...display,
    HOME: "/run/culvert-lab/home",
    XDG_CONFIG_HOME: "/run/culvert-lab/home/.config",
    XDG_RUNTIME_DIR: "/run/culvert-lab/home",
    LANG: `${language}.UTF-8`,
    ELECTRON_DISABLE_SECURITY_WARNINGS: "1",
  });
  const order = talk(child);
  const launch = {
    electron: `/run/culvert-lab/electron/${basename(electron)}`,
    folder: house,
    // Chromium refuses its sandbox to root, and without accounts there is only root
    args: [...(ordinary ? [] : ["--no-sandbox"]), `--lang=${language}`],
  };
  const startedMs = Number(await order({ do: "launch", launch }));
  return {
    order,
    startedMs,
    closed: new Promise((done) =>
      child.once("exit", () => {
        done();
      }),
    ),
    click: async (role, name) => {
      await order({ do: "click", role, name });
    },
    waitFor: async (css, timeoutMs = 15_000) => {
      await order({ do: "wait-css", css, timeoutMs });
    },
    text: async (css) => String(await order({ do: "text", css })),
    close: async () => {
      await order({ do: "close" }).catch(() => undefined);
      child.disconnect();
    },
  };
}

export function hasAccounts(machine: Machine): Promise<boolean> {
  return hasUser(machine, person.uid);
}

/** What to put before a command so that the person runs it. */
export function asPerson(ordinary: boolean): readonly string[] {
  if (!ordinary) return [];
  return ["setpriv", `--reuid=${person.uid}`, `--regid=${person.gid}`, `--groups=${person.group}`, "--"];
}

function start(machine: Machine, ordinary: boolean, env: Record<string, string>): ChildProcess {
  const node = seenAt(house, process.execPath);
  const words = [...machine.prefix, ...asPerson(ordinary), node, `${house}/e2e/lab/window-child.ts`];
  const [first = "", ...rest] = words;
  return spawn(first, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"], env: { ...process.env, ...env } });
}

function talk(child: ChildProcess): (order: Order) => Promise<unknown> {
  const waiting = new Map<number, { done: (value: unknown) => void; failed: (error: Error) => void }>();
  let last = 0;
  child.on("message", (told: Told) => {
    const one = waiting.get(told.id);
    waiting.delete(told.id);
    if (told.ok) one?.done(told.value);
    else one?.failed(new Error(`window: ${told.error}`));
  });
  child.once("exit", (code) => {
    for (const one of waiting.values()) one.failed(new Error(`the window's driver ended with ${code}`));
  });
  return (order) =>
    new Promise((done, failed) => {
      last += 1;
      waiting.set(last, { done, failed });
      child.send({ id: last, order });
    });
}

/** The display's socket is a file, so it is reached from every network namespace; its key must be readable. */
function displayFor(home: string, ordinary: boolean): Record<string, string> {
  const key = process.env["XAUTHORITY"];
  if (key === undefined || !existsSync(key)) return {};
  const copy = join(home, ".Xauthority");
  writeFileSync(copy, forAnyHost(readFileSync(key)), { mode: 0o600 });
  if (ordinary) {
    chownSync(home, person.uid, person.gid);
    chownSync(copy, person.uid, person.gid);
  }
  return { XAUTHORITY: "/run/culvert-lab/home/.Xauthority" };
}

/**
 * A display's keys are filed under the host's name, and the machine has one of its own: each entry is filed again under
 * FamilyWild (Xau(3): a record is family, then address, number, name and data, each with its length; big endian).
 */
function forAnyHost(keys: Buffer): Buffer {
  const out: Buffer[] = [];
  for (let at = 0; at + 4 <= keys.length;) {
    const address = keys.readUInt16BE(at + 2);
    let end = at + 4 + address;
    for (let field = 0; field < 3; field += 1) end += 2 + keys.readUInt16BE(end);
    out.push(Buffer.from([0xff, 0xff, 0, 0]), keys.subarray(at + 4 + address, end));
    at = end;
  }
  return Buffer.concat(out);
}
