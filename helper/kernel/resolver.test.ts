import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { lstatSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { PlanDns } from "../plan/plan.ts";
import { type CaseResolver, resolverCases } from "./resolver.cases.ts";
import { entryFor, readResolver, setResolver, stands, undoResolver } from "./resolver.ts";

let folder: string;
let path: string;
let search: string | undefined;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "culvert-resolver-")));
  path = join(folder, "resolv.conf");
  search = process.env["PATH"];
});
afterEach(() => {
  process.env["PATH"] = search;
  rmSync(folder, { recursive: true });
});

const text = (file = path) => readFileSync(file, "utf8");
const dns = (...servers: string[]): PlanDns => ({ by: "file", path, servers: servers as Address[] });

describe("resolv.conf", () => {
  test("is replaced, keeps its mode, and comes back", async () => {
    writeFileSync(path, "# mine\nnameserver 192.0.2.53\noptions edns0\n");
    chmodSync(path, 0o640);
    const entry = entryFor(dns("10.0.0.1", "fd00::1"), null);
    expect(await setResolver(entry, true)).toEqual([`printf 'nameserver 10.0.0.1\\nnameserver fd00::1\\n' > ${path}`]);
    expect([text(), statSync(path).mode & 0o777]).toEqual(["nameserver 10.0.0.1\nnameserver fd00::1\n", 0o640]);
    expect(stands(entry)).toBe(true);
    expect(await setResolver(entry, true)).toEqual([]);
    expect(await undoResolver(entry)).toHaveLength(1);
    expect([text(), statSync(path).mode & 0o777]).toEqual(["# mine\nnameserver 192.0.2.53\noptions edns0\n", 0o640]);
  });

  test("is for everybody, also where the helper's own files are not (its unit's UMask)", async () => {
    const before = process.umask(0o077);
    try {
      await setResolver(entryFor(dns("10.0.0.1"), null), true);
      expect(statSync(path).mode & 0o777).toBe(0o644);
    } finally {
      process.umask(before);
    }
  });

  test("behind a link, the file it leads to is written and the link stays", async () => {
    mkdirSync(join(folder, "run"));
    writeFileSync(join(folder, "run", "real"), "nameserver 192.0.2.53\n");
    symlinkSync("run/real", path);
    const entry = entryFor(dns("10.0.0.1"), null);
    await setResolver(entry, true);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(text(join(folder, "run", "real"))).toBe("nameserver 10.0.0.1\n");
    await undoResolver(entry);
    expect(text()).toBe("nameserver 192.0.2.53\n");
  });

  test("where there was none, none is left", async () => {
    const entry = entryFor(dns("10.0.0.1"), null);
    await setResolver(entry, true);
    await undoResolver(entry);
    expect(() => text()).toThrow(/ENOENT/);
  });

  test("changed by another since, it stays as that one wants it", async () => {
    writeFileSync(path, "nameserver 192.0.2.53\n");
    const entry = entryFor(dns("10.0.0.1"), null);
    await setResolver(entry, true);
    writeFileSync(path, "nameserver 198.51.100.53\n");
    expect(await undoResolver(entry)).toEqual([]);
    expect(text()).toBe("nameserver 198.51.100.53\n");
  });

  test("a crash between the journal and the file puts back nothing or the first one, never a half way", async () => {
    writeFileSync(path, "nameserver 192.0.2.53\n");
    const first = entryFor(dns("10.0.0.1"), null);
    expect(await undoResolver(first)).toEqual([]);
    await setResolver(first, true);
    // the second entry is on disk, its servers were never written
    const second = entryFor(dns("10.0.0.2"), first);
    await undoResolver(second);
    expect(text()).toBe("nameserver 192.0.2.53\n");
  });

  test("its servers are read, zones and nonsense aside", () => {
    writeFileSync(
      path,
      "nameserver 192.0.2.53\n;nameserver 1.1.1.1\nnameserver fe80::1%eth0\nnameserver x\nsearch a\n",
    );
    const { resolvConf } = readResolver(path);
    expect(resolvConf).toEqual({ path, target: null, servers: ["192.0.2.53", "fe80::1"], immutable: false });
    expect(readResolver(join(folder, "no", "such")).resolvConf.immutable).toBe(true);
  });
});

describe("tools", () => {
  test("systemd-resolved is told link, servers, domain and route, and flushes", async () => {
    const said = tool("resolvectl");
    const entry = entryFor({ by: "resolved", link: "lo", servers: ["10.0.0.1" as Address] }, null);
    expect(await setResolver(entry, true)).toEqual([
      "resolvectl dns lo 10.0.0.1",
      "resolvectl domain lo '~.'",
      "resolvectl default-route lo yes",
      "resolvectl flush-caches",
    ]);
    expect(await setResolver(entry, false)).toEqual([]);
    expect(await undoResolver(entry)).toEqual(["resolvectl revert lo", "resolvectl flush-caches"]);
    expect(said().at(0)).toBe("dns lo 10.0.0.1");
    expect(said()).toHaveLength(6);
  });

  test("resolvconf reads the servers from its input", async () => {
    const said = tool("resolvconf");
    const entry = entryFor({ by: "resolvconf", link: "culvert0", servers: ["10.0.0.1" as Address] }, null);
    await setResolver(entry, true);
    await undoResolver(entry);
    expect(said()).toEqual([
      "-a tun.culvert0 -m 0 -x",
      "nameserver 10.0.0.1",
      // Debian's takes nothing but the command first
      "-d tun.culvert0 -f",
    ]);
  });

  test("one that fails is a surprise with its own words", async () => {
    tool("resolvectl", "echo no such link >&2; exit 1");
    const entry = entryFor({ by: "resolved", link: "lo", servers: ["10.0.0.1" as Address] }, null);
    await expect(setResolver(entry, true)).rejects.toMatchObject({
      name: "KernelError",
      on: "resolvectl dns lo 10.0.0.1",
      code: "no such link",
    });
  });
});

// The twins of the real ones in resolver.net.test.ts: all that they know is a file a link.
resolverCases(
  "a stand-in for systemd-resolved",
  standIn("resolved", 'case $1 in dns) echo $3 > "$0.$2" ;; revert) rm -f "$0.$2" ;; esac'),
);
resolverCases(
  "a stand-in for resolvconf",
  standIn("resolvconf", 'case $1 in -a) sed "s/nameserver //;q" > "$0.$2" ;; -d) rm -f "$0.$2" ;; *) exit 99 ;; esac'),
);

function standIn(by: CaseResolver["by"], does: string): CaseResolver {
  const name = by === "resolved" ? "resolvectl" : "resolvconf";
  const own = "192.0.2.53" as Address;
  let place = "";
  const records = () => readdirSync(place).filter((entry) => entry.startsWith(`${name}.`));
  return {
    // the one link that every machine has, and that stays
    ...{ by, link: "lo", own, given: ["10.0.0.1", "10.0.0.2"] as [Address, Address] },
    open() {
      place = mkdtempSync(join(tmpdir(), "culvert-stand-in-"));
      writeFileSync(join(place, name), `#!/bin/sh\n${does}\n`, { mode: 0o755 });
    },
    asked() {
      const [record] = records();
      return record === undefined ? own : text(join(place, record)).trim();
    },
    told: () => records().join(" "),
    addLink() {
      process.env["PATH"] = `${place}:${search ?? ""}`;
    },
    removeLink: () => undefined,
    close() {
      rmSync(place, { recursive: true });
    },
  };
}

/** A tool of this name that writes down how it was called and what it read. */
function tool(name: string, does = ""): () => readonly string[] {
  const log = join(folder, "log");
  writeFileSync(log, "");
  writeFileSync(join(folder, name), `#!/bin/sh\necho "$@" >> ${log}\ncat >> ${log}\n${does}\n`);
  chmodSync(join(folder, name), 0o755);
  process.env["PATH"] = `${folder}:${search ?? ""}`;
  return () => text(log).trimEnd().split("\n");
}
