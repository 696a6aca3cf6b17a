// Sysctls as files. A key is written as sysctl(8) has it: dots between the parts, a slash where a name itself has one
// (`net.ipv4.conf.eth0/100.arp_ignore`).
import { readFileSync, writeFileSync } from "node:fs";

import { KernelError } from "./kernel.ts";

/** undefined: this kernel, or this machine at the moment, has no such key. */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(pathOf(key), "utf8").trim();
  } catch {
    return undefined;
  }
}

export function writeSysctl(key: string, value: string): void {
  try {
    writeFileSync(pathOf(key), value);
  } catch (error) {
    throw new KernelError("setting sysctl", `${key}=${value}`, (error as NodeJS.ErrnoException).code ?? "EIO", error);
  }
}

/** The keys a plan may set or a proof asks for, on this machine's links. */
export function sysctlKeys(links: readonly string[]): readonly string[] {
  const names = links.map((name) => name.replaceAll(".", "/"));
  return [
    "net.ipv4.conf.all.accept_redirects",
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.ipv4.nexthop_compat_mode",
    ...names.flatMap((name) => [
      `net.ipv4.conf.${name}.accept_redirects`,
      `net.ipv4.conf.${name}.arp_ignore`,
      `net.ipv4.conf.${name}.arp_announce`,
      `net.ipv4.conf.${name}.ignore_routes_with_linkdown`,
      `net.ipv6.conf.${name}.accept_redirects`,
      `net.ipv6.conf.${name}.addr_gen_mode`,
      `net.ipv6.conf.${name}.ignore_routes_with_linkdown`,
    ]),
  ];
}

function pathOf(key: string): string {
  const path = key.replace(/[./]/g, (c) => (c === "." ? "/" : "."));
  if (path.split("/").includes("..")) throw new KernelError("naming sysctl", key, "EINVAL");
  return `/proc/sys/${path}`;
}
