import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { parseConnections, readSessions } from "./sessions.ts";

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const listens = "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1\n";
const stands = "   1: 1701A8C0:0016 076433C6:C001 01 00000000:00000000 02:000A7D2B 00000000     0        0 101 2\n";
const page = "   2: 1701A8C0:9C40 0A0200C0:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 102 1\n";
const mapped =
  "   0: 0000000000000000FFFF00001701A8C0:0016 0000000000000000FFFF0000076433C6:C002 01 00000000:00000000 00:00000000 00000000 0 0 103 1\n";
const six =
  "   1: B80D0120000007000000000023000000:0016 B80D0120000009000000000001000000:C003 01 00000000:00000000 00:00000000 00000000 0 0 104 1\n";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

test("connections that stand are read with both ends, IPv4 in IPv6 as what it is", () => {
  expect(parseConnections(head + listens + stands)).toEqual([
    { from: "198.51.100.7", fromPort: 49153, at: "192.168.1.23", port: 22, inode: "101" },
  ]);
  expect(parseConnections(head + mapped + six)).toEqual([
    { from: "198.51.100.7", fromPort: 49154, at: "192.168.1.23", port: 22, inode: "103" },
    { from: "2001:db8:9::1", fromPort: 49155, at: "2001:db8:7::23", port: 22, inode: "104" },
  ]);
});

test("a session is a connection whose socket a server of sessions holds", () => {
  const proc = mkdtempSync(join(tmpdir(), "proc-"));
  cleanups.push(() => rmSync(proc, { recursive: true }));
  const process_ = (pid: string, comm: string, inode: string): void => {
    mkdirSync(join(proc, pid, "fd"), { recursive: true });
    writeFileSync(join(proc, pid, "comm"), `${comm}\n`);
    symlinkSync(`socket:[${inode}]`, join(proc, pid, "fd", "4"));
  };
  process_("7", "sshd-session", "101");
  process_("8", "firefox", "102");
  mkdirSync(join(proc, "self", "net"), { recursive: true });
  writeFileSync(join(proc, "self", "net", "tcp"), head + listens + stands + page);
  expect(readSessions(proc)).toEqual([{ from: "198.51.100.7", fromPort: 49153, at: "192.168.1.23", port: 22 }]);
});

test("on this machine reading says something and nothing throws", () => {
  expect(Array.isArray(readSessions())).toBe(true);
});
