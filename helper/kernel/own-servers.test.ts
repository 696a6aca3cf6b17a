import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { stubAddress } from "../plan/numbers.ts";
import { asksForAll, ownServers } from "./own-servers.ts";

let run: string;
beforeEach(() => {
  run = mkdtempSync(join(tmpdir(), "culvert-run-"));
});
afterEach(() => {
  rmSync(run, { recursive: true });
});

const links = [
  { index: 2, name: "eth0" },
  { index: 9, name: "culvert0" },
];
const file = (target: string | null, ...servers: string[]) => ({
  resolvConf: { path: "/etc/resolv.conf", target, servers: servers as Address[], immutable: false },
});

describe("whom the machine would ask without us", () => {
  test("a plain file says so itself", () => {
    expect(ownServers(file(null, "192.0.2.53"), null, links, { run })).toEqual([
      { link: null, servers: ["192.0.2.53"] },
    ]);
  });

  test("while ours stands there the journal says what stood before", () => {
    const before = Buffer.from("# by hand\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n").toString("base64");
    const entry = { by: "file", path: "/etc/resolv.conf", before, mode: 0o644, ours: [] } as const;
    expect(ownServers(file(null, stubAddress), { ...entry, ours: [] }, links, { run })).toEqual([
      { link: null, servers: ["192.0.2.53", "fe80::1"] },
    ]);
  });

  test("systemd's files say it of each link, and ours is left out", () => {
    write("systemd/netif/links/2", "ADMIN_STATE=configured\nDNS=192.0.2.53 2001:db8::53\n");
    write("systemd/resolve/netif/9", "SERVERS=10.64.0.1\n");
    write("systemd/resolve/netif/2", "SERVERS=198.51.100.53:53#dns.example\n");
    expect(ownServers(file("/run/systemd/resolve/stub-resolv.conf", "127.0.0.53"), null, links, { run })).toEqual([
      { link: "eth0", servers: ["192.0.2.53", "2001:db8::53"] },
      { link: "eth0", servers: ["198.51.100.53"] },
    ]);
  });

  test("resolvconf keeps a record a link", () => {
    write("resolvconf/interface/eth0.dhclient", "domain example\nnameserver 192.0.2.53\n");
    write("resolvconf/interface/tun.culvert0", "nameserver 10.64.0.1\n");
    expect(ownServers(file("/run/resolvconf/resolv.conf", "10.64.0.1"), null, links, { run })).toEqual([
      { link: "eth0", servers: ["192.0.2.53"] },
    ]);
  });

  test("our own resolver is nobody's", () => {
    expect(ownServers(file(null, stubAddress), null, links, { run })).toEqual([]);
  });
});

describe("who asks for every program", () => {
  test("nss-resolve, while systemd-resolved runs", () => {
    const nsswitch = write("nsswitch.conf", "passwd: files\nhosts: files resolve [!UNAVAIL=return] dns # mdns\n");
    expect(asksForAll(true, { run, nsswitch })).toBe("nss-resolve");
    expect(asksForAll(false, { run, nsswitch })).toBeUndefined();
  });

  test("a comment and another database name nobody", () => {
    const nsswitch = write("nsswitch.conf", "networks: resolve\nhosts: files dns # resolve\n");
    expect(asksForAll(true, { run, nsswitch })).toBeUndefined();
  });

  test("nscd by its socket", () => {
    write("nscd/socket", "");
    expect(asksForAll(false, { run, nsswitch: join(run, "none") })).toBe("nscd");
  });
});

function write(path: string, text: string): string {
  const whole = join(run, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}
