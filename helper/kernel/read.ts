// The machine as it is: Facts, and our own nft tables whole. Everything is asked anew each time.
import { existsSync } from "node:fs";
import { hostname } from "node:os";

import type { Prefix } from "../contract/prefix.ts";
import type { Facts, KernelFeatures } from "../plan/facts.ts";
import { ranges, tableName } from "../plan/numbers.ts";
import { KernelError } from "./kernel.ts";
import type { ListedTable, Native, NftFeatures } from "./native.ts";
import type { HaveTable } from "./nft-changes.ts";
import { othersOf } from "./others.ts";
import { readResolver } from "./resolver.ts";
import { readSysctl, sysctlKeys } from "./sysctl.ts";

export interface Sockets {
  /** rtnetlink */
  readonly route: number;
  /** nfnetlink; owns our tables as long as it is open */
  readonly nft: number;
}

/** What was probed once. */
export type Features = NftFeatures & Pick<KernelFeatures, "appMarks" | "nftTool">;

/** NFT_TABLE_F_OWNER */
const owner = 2;

/** `more`: sysctls to read besides those of every plan. `ours`: false: without the routes of our own tables. */
export function readFacts(
  native: Native,
  sockets: Sockets,
  features: Features,
  resolvConf: string,
  { more = [], ours = true }: { readonly more?: readonly string[]; readonly ours?: boolean },
): Facts {
  const without = ours ? undefined : ([ranges.firstTable, ranges.lastTable] as const);
  const reading = asked("reading", "links and routes", () => native.netlinkRead(sockets.route, without));
  const tables = listTables(native, sockets);
  const keys = new Set([...sysctlKeys(reading.links.map((l) => l.name)), ...more]);
  const { nexthops, ...rest } = reading;
  const all: KernelFeatures = {
    ...features,
    ipv6: existsSync("/proc/sys/net/ipv6"),
    ...(readSysctl("net.ipv6.conf.default.disable_ipv6") === "1" && { ipv6Off: true }),
    tun: existsSync("/dev/net/tun"),
    nexthops: nexthops !== null,
  };
  return {
    ...rest,
    nexthops: nexthops ?? [],
    nftTables: tables.map(({ family, name, flags }) => ({ family, name, owned: (flags & owner) !== 0 })),
    sysctls: Object.fromEntries([...keys].flatMap((key) => entry(key, readSysctl(key)))),
    resolver: readResolver(resolvConf),
    features: all,
    others: othersOf(reading, tables),
    hostName: hostname(),
  };
}

/** Our tables, both families, as far as they are there; `known`: elements of a table's sets that need not be read. */
export function readTables(
  native: Native,
  sockets: Sockets,
  known: (listed: ListedTable) => ReadonlyMap<string, readonly Prefix[]> | undefined = () => undefined,
): readonly HaveTable[] {
  return listTables(native, sockets).flatMap((listed): HaveTable[] => {
    if (listed.name !== tableName || (listed.family !== "inet" && listed.family !== "netdev")) return [];
    const { family, name } = listed;
    const table = asked("reading", `nft table ${family} ${name}`, () =>
      native.nftRead(sockets.nft, family, name, known(listed)),
    );
    return table === null ? [] : [{ ...table, listed }];
  });
}

/** Without rights, and without nftables in the kernel, nobody's tables can be seen. */
export function listTables(native: Native, sockets: Sockets): readonly ListedTable[] {
  try {
    return native.nftList(sockets.nft);
  } catch (error) {
    if (["EPERM", "EPROTONOSUPPORT", "ENOPROTOOPT"].includes(codeOf(error))) return [];
    throw new KernelError("reading", "nft tables", codeOf(error), error);
  }
}

export function probe(native: Native, sockets: Sockets): NftFeatures {
  try {
    return native.nftProbe(sockets.nft);
  } catch (error) {
    if (codeOf(error) === "EPERM") return { nft: false, owner: false, devicePrefix: false, redirects: false };
    throw new KernelError("probing", "nftables", codeOf(error), error);
  }
}

/** A refused call of the addon as the surprise it is. */
export function asked<T>(doing: string, on: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw new KernelError(doing, on, codeOf(error), error);
  }
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "EIO";
}

function entry(key: string, value: string | undefined): readonly (readonly [string, string])[] {
  return value === undefined ? [] : [[key, value]];
}
