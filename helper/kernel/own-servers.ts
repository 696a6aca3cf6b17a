// Whom this machine would ask for names without us, and who asks for every program so that nobody can tell whose a question
// is. By whoever manages names here: systemd-resolved and systemd-networkd keep the servers of each link in files of their
// own, resolvconf keeps one record a link, and where resolv.conf is a plain file, it says so itself, or the journal does
// when ours stands there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { type Address, parseAddress } from "../contract/prefix.ts";
import type { LinkFact, ResolverFact } from "../plan/facts.ts";
import { linkName, resolvconfRecord, stubAddress } from "../plan/numbers.ts";
import type { ResolverEntry } from "./journal.ts";

type Told = NonNullable<ResolverFact["ownServers"]>;

export interface Where {
  readonly run: string;
  readonly nsswitch: string;
}
export const usual: Where = { run: "/run", nsswitch: "/etc/nsswitch.conf" };

export function ownServers(
  resolver: Pick<ResolverFact, "resolvConf">,
  entry: ResolverEntry | null,
  links: readonly Pick<LinkFact, "index" | "name">[],
  { run }: Pick<Where, "run"> = usual,
): Told {
  const { target, servers } = resolver.resolvConf;
  const ours = new Set<string>([stubAddress, ...(entry === null || entry.by === "file" ? [] : entry.servers)]);
  const theirs = (told: Told): Told =>
    told
      .filter(({ link }) => link !== linkName)
      .map(({ link, servers: all }) => ({ link, servers: all.filter((server) => !ours.has(server)) }))
      .filter(({ servers: all }) => all.length > 0);
  if (entry?.by === "file") {
    const before = entry.before === null ? "" : Buffer.from(entry.before, "base64").toString();
    return theirs([{ link: null, servers: nameServers(before) }]);
  }
  const byLink = theirs([...ofLinks(join(run, "systemd"), links), ...ofRecords(join(run, "resolvconf"))]);
  const managed = target?.includes("systemd/resolve/") === true || servers.some((s) => s.startsWith("127."));
  if (byLink.length > 0 && (managed || target?.includes("resolvconf") === true)) return byLink;
  const file = managed ? textOf(join(run, "systemd/resolve/resolv.conf")) : undefined;
  return theirs([{ link: null, servers: file === undefined ? servers : nameServers(file) }]);
}

export function asksForAll(running: boolean, { run, nsswitch }: Where = usual): ResolverFact["asksForAll"] {
  const hosts = /^\s*hosts:(.*)$/m.exec(textOf(nsswitch) ?? "")?.[1]?.split("#")[0] ?? "";
  if (running && /\sresolve(\s|$)/.test(` ${hosts}`)) return "nss-resolve";
  return existsSync(join(run, "nscd/socket")) ? "nscd" : undefined;
}

/** systemd-networkd: DNS= of each link; systemd-resolved: SERVERS= of links that others told it of (sd-network, resolved). */
function ofLinks(systemd: string, links: readonly Pick<LinkFact, "index" | "name">[]): Told {
  const nameOf = new Map(links.map((link) => [String(link.index), link.name]));
  return [join(systemd, "netif/links"), join(systemd, "resolve/netif")].flatMap((folder) =>
    filesOf(folder).flatMap((file) => {
      const link = nameOf.get(file);
      const line = /^(?:DNS|SERVERS)=(.*)$/m.exec(textOf(join(folder, file)) ?? "")?.[1];
      return link === undefined || line === undefined ? [] : [{ link, servers: addresses(line.split(/\s+/)) }];
    }),
  );
}

/** Debian's resolvconf keeps records in `interface`, openresolv in `interfaces` (`keys` since 3.13). */
function ofRecords(folder: string): Told {
  return ["interface", "interfaces", "keys"].flatMap((kind) =>
    filesOf(join(folder, kind))
      .filter((record) => record !== resolvconfRecord(linkName))
      .map((record) => ({
        link: record.split(".")[0] ?? record,
        servers: nameServers(textOf(join(folder, kind, record)) ?? ""),
      })),
  );
}

function nameServers(text: string): readonly Address[] {
  return addresses([...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((found) => found[1] ?? ""));
}

/** A port, a name for TLS and a zone are no part of the address: 192.0.2.1:53#name, fe80::1%eth0. */
function addresses(words: readonly string[]): readonly Address[] {
  return words.flatMap((word) => {
    const plain = word.split("#")[0]?.split("%")[0] ?? "";
    return parseAddress(plain) ?? parseAddress(plain.replace(/^\[(.*)\]:\d+$|^([\d.]+):\d+$/, "$1$2")) ?? [];
  });
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
