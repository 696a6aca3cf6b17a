// Sysctls as files. A key is written as sysctl(8) has it: dots between the parts, a slash where a name itself has one
// (`net.ipv4.conf.eth0/100.arp_ignore`).
import { readFileSync, writeFileSync } from "node:fs";

import { linkName } from "../plan/numbers.ts";
import type { PlanSysctl } from "../plan/plan.ts";
import type { SysctlEntry } from "./journal.ts";
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

/** What to put back: the value that stood there before ours, or that somebody has set since. */
export function sysctlEntries(
  wanted: readonly PlanSysctl[],
  values: Readonly<Record<string, string>>,
  earlier: readonly SysctlEntry[],
): SysctlEntry[] {
  const others = earlier.filter((e) => !wanted.some((w) => w.key === e.key));
  const named = wanted
    // the adapter takes its own along
    .filter(({ key }) => !key.includes(`.${linkName}.`))
    .flatMap(({ key, value }) => {
      const now = values[key];
      const known = earlier.find((e) => e.key === key);
      if (known !== undefined && (now === undefined || known.ours.includes(now)))
        return [{ ...known, ours: [...known.ours.filter((v) => v !== value), value] }];
      return now === undefined || now === value ? [] : [{ key, before: now, ours: [value] }];
    });
  return [...others, ...named];
}

/** A link that went took its sysctls along; what somebody set since is his. */
export function isToRestore({ key, before, ours }: SysctlEntry): boolean {
  const now = readSysctl(key);
  return now !== undefined && ours.includes(now) && now !== before;
}

function pathOf(key: string): string {
  const path = key.replace(/[./]/g, (c) => (c === "." ? "/" : "."));
  if (path.split("/").includes("..")) throw new KernelError("naming sysctl", key, "EINVAL");
  return `/proc/sys/${path}`;
}
