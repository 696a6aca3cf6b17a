// What the port opens: descriptors with the rights and marks they must have from the start. Needs root and a network
// namespace of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { linkName } from "../plan/numbers.ts";
import { makeUplink, removeUplink, sh, until } from "./apart.ts";
import type { Descriptor } from "./kernel.ts";
import { type LinuxKernel, openLinux } from "./linux.ts";
import { loadNative } from "./native.ts";

const native = loadNative();
let folder: string;
let kernel: LinuxKernel;
const opened: Descriptor[] = [];

beforeEach(async () => {
  makeUplink();
  folder = mkdtempSync(join(tmpdir(), "culvert-sockets-"));
  kernel = await openLinux({ native, stateDir: folder, runDir: folder, resolvConf: join(folder, "resolv.conf") });
});
afterEach(async () => {
  for (const one of opened.splice(0)) one.close();
  await kernel.undo();
  kernel.close();
  rmSync(folder, { recursive: true });
  removeUplink();
});

describe("the adapter", () => {
  test("outlives its descriptor, and takes one with and one without the offload header in turn", async () => {
    for (const header of [true, false, true]) {
      const tun = await kernel.openTun(linkName, header);
      expect(sh(`ip -d link show ${linkName}`)).toContain(header ? "vnet_hdr on" : "tun type tun");
      // a second engine cannot take it (12.12)
      await expect(kernel.openTun(linkName, header)).rejects.toMatchObject({ code: "EBUSY" });
      tun.close();
      tun.close();
    }
    expect(sh(`ip -d link show ${linkName}`)).toContain("persist on");
  });

  test("what comes into it is read from the descriptor", async () => {
    const tun = keep(await kernel.openTun(linkName, false));
    sh(`ip link set ${linkName} up; ip route add 198.51.100.7 dev ${linkName}`);
    const child = spawnSync("ping", ["-c1", "-W1", "198.51.100.7"]);
    expect(child.error).toBeUndefined();
    const { readSync } = await import("node:fs");
    const packet = Buffer.alloc(2048);
    let got = 0;
    // the kernel's own multicast may lie before it
    while ((packet[0] ?? 0) >> 4 !== 4) got = readSync(tun.fd, packet);
    expect([...packet.subarray(16, 20), got]).toEqual([198, 51, 100, 7, 84]);
  });
});

describe("UDP", () => {
  test("has the engine's mark before its first packet, and both families share a port", async () => {
    const four = keepUdp(await kernel.openUdp(4, 0));
    const six = keepUdp(await kernel.openUdp(6, four.port));
    expect(six.port).toBe(four.port);
    expect(sh(`ss -unlpe sport = ${four.port}`).match(/fwmark:0xc1000000/g)).toHaveLength(2);
    await expect(kernel.openUdp(4, four.port)).rejects.toMatchObject({ name: "KernelError", code: "EADDRINUSE" });
  });
});

describe("Unix sockets", () => {
  test("the UAPI socket is its user's alone, in a folder made for it, over a leftover", async () => {
    const path = join(folder, "deep", "wireguard", "x.sock");
    keep(await kernel.openUapi(path, 65_534));
    keep(await kernel.openUapi(path, 65_534));
    const { mode, uid } = statSync(path);
    expect([(mode & 0o7777).toString(8), uid]).toEqual(["600", 65_534]);
    expect((statSync(join(folder, "deep")).mode & 0o777).toString(8)).toBe("755");
    const client = connect(path);
    await new Promise((done) => client.once("connect", done));
    client.destroy();
  });

  test("a caller's process, user and groups are told", async () => {
    const path = join(folder, "door.sock");
    const fds: number[] = [];
    const server = createServer((socket) => {
      const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
      fds.push(fd);
      expect(native.peerCredentials(fd)).toMatchObject({ pid: process.pid, uid: 0, gid: 0 });
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(path, done));
    connect(path).on("error", () => undefined);
    await until(() => fds.length === 1);
    await new Promise((done) => server.close(done));
    expect(() => native.peerCredentials(server as unknown as number)).toThrow();
    const file = join(folder, "file");
    writeFileSync(file, "");
    expect(() => native.peerCredentials(-1)).toThrow(expect.objectContaining({ code: "EBADF" }));
  });
});

test("pings come back with their round trips, and what does not answer is null", () => {
  const trips = inNewNamespace(`
    sh("ip link set lo up; ip addr add 192.0.2.9/32 dev lo; ip addr add fd00::9/128 dev lo");
    const refused = await native.ping(["nonsense"], 0, 100).catch((error) => String(error));
    const trips = await native.ping(["192.0.2.9", "192.0.2.1", "fd00::9", "198.51.100.1"], 0, 1000);
    process.stdout.write(JSON.stringify({ refused, trips }));`);
  expect(trips).toEqual({
    refused: expect.stringMatching(/EINVAL/) as unknown,
    trips: [expect.any(Number), null, expect.any(Number), null],
  });
});

/** Runs lines with `native` and `sh` where no other test's packets are: a raw socket hears every ICMP of its namespace. */
function inNewNamespace(lines: string): unknown {
  const here = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  const imports = `import { loadNative } from ${here("native.ts")}; import { sh } from ${here("apart.ts")};`;
  const script = `${imports} const native = loadNative(); ${lines}`;
  const argv = ["--net", "--", process.execPath, "--input-type=module", "-e", script];
  return JSON.parse(execFileSync("unshare", argv, { encoding: "utf8", timeout: 20_000 }));
}

test("no descriptor of ours is left to a child", async () => {
  keep(await kernel.openTun(linkName, false));
  keepUdp(await kernel.openUdp(4, 0));
  const { stdout } = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" });
  // 0, 1 and 2 are Node's own socket pairs
  expect(stdout).toMatch(/ 2 -> socket:/);
  expect(stdout).not.toMatch(/ ([3-9]|\d\d+) -> (socket:|\/dev\/net\/tun)/);
});

function keep(one: Descriptor): Descriptor {
  opened.push(one);
  return one;
}

function keepUdp<T extends Descriptor>(one: T): T {
  opened.push(one);
  return one;
}
