// Ground for the net tests: a network namespace of the test's own with an uplink `up0` whose other end `far0` says what
// left. Neither end speaks of its own accord (no ARP, no IPv6 of the wire's), so a frame counted there is a frame sent.
import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** Nothing here may ever touch a machine's own network: there, an uplink with a driver or a default route is found. */
export function assertApart(): void {
  const links = JSON.parse(sh("ip -j -d link")) as { ifname: string; linkinfo?: { info_kind?: string } }[];
  const real = links.filter((l) => l.ifname !== "lo" && l.linkinfo?.info_kind === undefined);
  if (real.length > 0 || sh("ip route show default").trim() !== "")
    throw new Error("these tests run in a network namespace of their own (scripts/test.mjs), as root");
}

export function makeUplink(): void {
  assertApart();
  sh("ip link set lo up");
  sh("ip link add up0 type veth peer name far0");
  for (const end of ["up0", "far0"]) {
    // its reports of its own groups (MLD) are sent at once and not at some instant of the next seconds
    const conf = `net.ipv6.conf.${end}`;
    const mld = [1, 2].map((v) => `${conf}.mldv${v}_unsolicited_report_interval=1`).join(" ");
    sh(`sysctl -qw ${conf}.addr_gen_mode=1 ${conf}.router_solicitations=0 ${mld}`);
    sh(`ip link set ${end} up`);
  }
  sh("ip addr add 192.0.2.2/24 dev up0");
  sh("ip addr add 2001:db8:1::2/64 dev up0 nodad");
  const mac = sh("ip -o link show far0").match(/link\/ether ([0-9a-f:]+)/)?.[1] ?? "";
  sh(`ip neigh add 192.0.2.1 lladdr ${mac} dev up0 nud permanent`);
  sh(`ip neigh add 2001:db8:1::1 lladdr ${mac} dev up0 nud permanent`);
  sh("ip route add default via 192.0.2.1 dev up0");
  sh("ip -6 route add default via 2001:db8:1::1 dev up0");
}

export function removeUplink(): void {
  for (const line of sh("ip -o rule; ip -o -6 rule").split("\n")) {
    const priority = Number(line.split(":")[0]);
    if (priority > 0 && priority < 32_766) sh(`ip rule del pref ${priority} || ip -6 rule del pref ${priority}`);
  }
  // whatever name the other end goes by
  sh("ip link del far0");
}

/** Frames that have come out of the uplink. */
export function framesOut(): number {
  const line = readFileSync("/proc/net/dev", "utf8")
    .split("\n")
    .find((l) => l.trim().startsWith("far0:"));
  // after the name: received bytes, packets
  return Number(line?.trim().split(/\s+/)[2] ?? NaN);
}

export function sh(command: string): string {
  return execFileSync("/bin/sh", ["-c", command], {
    encoding: "utf8",
    timeout: 10_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** UDP to a public address, as fast as one process sends; refused ones are sent again. Ends with the returned call. */
export async function flood(): Promise<() => Promise<void>> {
  const code = `
    const socket = require("node:dgram").createSocket("udp4");
    socket.connect(53, "203.0.113.9", () => { process.stdout.write("."); burst(); });
    function burst() { for (let i = 0; i < 32; i++) socket.send("x", () => {}); setImmediate(burst); }
    socket.on("error", () => {});`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((begun) => child.stdout.once("data", begun));
  return () =>
    new Promise((ended) => {
      child.once("exit", () => {
        ended();
      });
      child.kill("SIGKILL");
    });
}

/** Waits for a condition, at most the time given. */
export async function until(holds: () => boolean, withinMs = 3000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > end) throw new Error("waited in vain");
    await new Promise((next) => setTimeout(next, 5));
  }
}
