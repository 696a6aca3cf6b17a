// What tells a VPN that lives from one that crashed, and that no netlink dump says: which programs run in this network
// namespace, which neighbours were asked in vain, who told resolvconf of servers. Read when findings are asked for.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

import { type Address, parseAddress } from "../contract/prefix.ts";
import type { Evidence } from "../plan/evidence.ts";

type Read = Omit<Evidence, "standing">;

export function readEvidence(resolvConf: string): Read {
  return {
    programs: programsHere(),
    silent: silentNeighbours(),
    records: recordsHere(),
    remarks: remarksIn(resolvConf),
  };
}

/** Of this network namespace: a program in a container of its own holds nothing here. */
function programsHere(): readonly string[] {
  const here = linkOf("/proc/self/ns/net");
  const found = entriesOf("/proc")
    .filter((name) => /^\d+$/.test(name) && linkOf(`/proc/${name}/ns/net`) === here)
    .map((name) => textOf(`/proc/${name}/comm`).trim());
  return [...new Set(found)].filter((name) => name !== "").sort();
}

/** arp(7): flags 0x0 is an entry that was asked for and never completed. IPv6 has no such file. */
function silentNeighbours(): Read["silent"] {
  return textOf("/proc/net/arp")
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [ip = "", , flags, , , link = ""] = line.trim().split(/\s+/);
      const address: Address | undefined = parseAddress(ip);
      return address === undefined || flags !== "0x0" ? [] : [{ link, address }];
    });
}

/** openresolv keeps one file a record in `interfaces` or `keys`, Debian's resolvconf in `interface`. */
const recordFolders = ["/run/resolvconf/interfaces", "/run/resolvconf/keys", "/run/resolvconf/interface"];

function recordsHere(): readonly string[] {
  return [...new Set(recordFolders.flatMap(entriesOf))];
}

function remarksIn(path: string): string {
  const lines = textOf(path).split("\n");
  return lines
    .filter((line) => /^\s*[#;]/.test(line))
    .join("\n")
    .slice(0, 4096);
}

/** What is gone by now, or never was, says nothing. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function entriesOf(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
