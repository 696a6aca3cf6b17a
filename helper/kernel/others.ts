// Which other VPN is up, by what gives it away in routes, rules and tables: the collision map of the field. Pure.
// One that takes the catch-all, or the whole mark word, excludes us: its packets and ours would go in circles. One that
// only carries prefixes of its own stands beside us.
import type { LinkFact, OtherVpn, RouteFact, RuleFact } from "../plan/facts.ts";
import { linkName } from "../plan/numbers.ts";
import { type Sign, signs } from "../plan/signs.ts";
import type { ListedTable, Reading } from "./native.ts";

const main = 254;
/** PPP is not among them: it is how many a modem is the uplink. */
const tunnelKinds = new Set(["wireguard", "tun", "xfrm"]);
/** ARPHRD_ETHER */
const ethernet = 1;

export function othersOf(reading: Reading, tables: readonly ListedTable[]): readonly OtherVpn[] {
  const named = signs.flatMap((sign) => found(sign, reading, tables));
  const known = named.some((o) => o.excludes);
  return [...named, ...(known ? [] : unnamed(reading))];
}

function found(sign: Sign, reading: Reading, tables: readonly ListedTable[]): readonly OtherVpn[] {
  const rule = reading.rules.find(
    (r) =>
      (r.action.kind === "lookup" && (sign.tables ?? []).includes(r.action.table)) ||
      (r.mark !== null && (sign.marks ?? []).includes(r.mark.value >>> 0)),
  );
  const table = sign.nft === undefined ? undefined : tables.find((t) => t.name.toLowerCase() === sign.nft);
  if (rule === undefined && table === undefined) return [];
  const own = reading.routes.filter((r) => (sign.tables ?? []).includes(r.table));
  const excludes = sign.wholeMark === true || takesAll(own);
  const evidence = rule === undefined ? `nft table ${table?.family ?? ""} ${table?.name ?? ""}` : wordsOf(rule);
  return [{ name: sign.name, evidence, excludes, remedy: sign.end }];
}

/** Whoever sends everything into a tunnel that is not ours, whatever its name: wg-quick's way, or OpenVPN's. */
function unnamed(reading: Reading): readonly OtherVpn[] {
  // a TAP that carries Ethernet is a wire that a program holds (a virtual machine's uplink): nothing tells it from a card
  const point = (l: LinkFact): boolean => l.type !== ethernet;
  const tunnels = reading.links.filter((l) => tunnelKinds.has(l.kind) && point(l));
  // without carrier nobody holds it (kernel/README 12.2): a crashed VPN's, which policy/stale.ts tells of
  const others = tunnels.filter((l) => l.name !== linkName && l.up && l.carrier).map((l) => l.name);
  const looked = new Set(
    reading.rules.flatMap((r) => (r.action.kind === "lookup" && selectsAll(r) ? [r.action.table] : [])),
  );
  looked.add(main);
  // its engine may be a program that holds a TUN: then the rule tells, `not fwmark T lookup T` (wg-quick(8), add_default)
  const isWgQuick = (table: number): boolean =>
    reading.rules.some(
      (r) => r.not && r.mark?.value === table && r.action.kind === "lookup" && r.action.table === table,
    );
  const endOf = (name: string, table: number): string =>
    isWgQuick(table) || tunnels.some((l) => l.name === name && l.kind === "wireguard")
      ? `wg-quick down ${name}`
      : `ip link del ${name}`;
  return others.flatMap((name): OtherVpn[] => {
    const ways = reading.routes.filter((r) => looked.has(r.table) && r.legs.some((leg) => leg.dev === name));
    if (!takesAll(ways)) return [];
    return [
      {
        name,
        evidence: `${ways[0]?.prefix ?? ""} dev ${name} table ${ways[0]?.table ?? main}`,
        excludes: true,
        remedy: endOf(name, ways[0]?.table ?? main),
      },
    ];
  });
}

/** A default, or the two halves that stand for one. */
function takesAll(routes: readonly RouteFact[]): boolean {
  const prefixes = new Set(routes.filter((r) => r.type === "unicast").map((r) => r.prefix as string));
  return (
    ["0.0.0.0/0", "::/0"].some((p) => prefixes.has(p)) ||
    (prefixes.has("0.0.0.0/1") && prefixes.has("128.0.0.0/1")) ||
    (prefixes.has("::/1") && prefixes.has("8000::/1"))
  );
}

/** Everything, or everything but what carries the tunnel's own mark. */
function selectsAll(rule: RuleFact): boolean {
  const bare = rule.from === null && rule.to === null && rule.iif === null && rule.oif === null && rule.uids === null;
  return bare && (rule.mark === null || rule.not);
}

function wordsOf(rule: RuleFact): string {
  const mark = rule.mark === null ? "" : ` fwmark 0x${(rule.mark.value >>> 0).toString(16)}`;
  const end = rule.action.kind === "lookup" ? ` lookup ${rule.action.table}` : ` ${rule.action.kind}`;
  return `ip${rule.family === 6 ? " -6" : ""} rule pref ${rule.priority}${rule.not ? " not" : ""}${mark}${end}`;
}
