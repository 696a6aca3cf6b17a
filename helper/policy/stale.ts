// What crashed and badly ended VPNs left on the machine: what it is, who most likely left it, by what evidence, what it does
// to packets, and what would have to go. Pure. A VPN that lives is never here: a table that its program still fills, a link
// that somebody holds, a program that runs, a rule whose table leads somewhere are all signs of life, and in doubt it lives.
import { covers, familyOf, hostPrefix, lengthOf, networkOf } from "../contract/prefix.ts";
import type { Address } from "../contract/prefix.ts";
import type { Evidence } from "../plan/evidence.ts";
import type { Facts, LinkFact, RouteFact, RuleFact } from "../plan/facts.ts";
import { isOwnRoute } from "../plan/forms.ts";
import { linkName, mainTable, nexthopIds, protocolKernel, ranges, tableName } from "../plan/numbers.ts";
import { printRemoval } from "../plan/removal.ts";
import type { Removal } from "../plan/removal.ts";
import { signs } from "../plan/signs.ts";
import type { Sign } from "../plan/signs.ts";
import { ethernet, inMain, isHeldTunnel, privateSpace, somebodyTunnels, stale } from "./stale-ground.ts";
import type { Stale } from "./stale-ground.ts";
import { gatewaysGone, gatewaysSilent, hostRoutes, refusing } from "./stale-routes.ts";

export function staleOf(facts: Facts, evidence: Evidence): readonly Stale[] {
  const own = evidence.standing ? [] : ownLeft(facts);
  const dead = deadAdapters(facts);
  const taken = new Set<unknown>([...own, ...dead].flatMap((s) => s.remedy.map(thingOf)));
  const rest = [
    ...wgQuickLeft(facts),
    ...signs.flatMap((sign) => programLeft(facts, evidence, sign)),
    ...hostRoutes(facts, evidence),
    ...gatewaysGone(facts),
    ...gatewaysSilent(facts, evidence),
    ...refusing(facts),
    ...namesLeft(facts, evidence, dead),
  ];
  return [
    ...own,
    ...dead,
    ...rest.filter((s) => s.remedy.length === 0 || !s.remedy.every((r) => taken.has(thingOf(r)))),
  ];
}

const thingOf = (removal: Removal): unknown =>
  removal.kind === "route.del" ? removal.route : removal.kind === "rule.del" ? removal.rule : printRemoval(removal);

/** wg-quick(8), add_default: `not fwmark T table T`, `table main suppress_prefixlength 0`, nft `wg-quick-LINK`. */
function wgQuickLeft(facts: Facts): readonly Stale[] {
  const names = new Set(facts.links.map((l) => l.name));
  const tables = facts.nftTables.filter((t) => t.name.startsWith(wgQuickTable) && !names.has(linkOfTable(t.name)));
  const asks = facts.rules.filter(
    (r) => r.not && r.mark !== null && r.action.kind === "lookup" && r.mark.value === r.action.table,
  );
  const empty = asks.filter((r) => routesIn(facts, r).length === 0);
  // the companion serves every such rule of its family: it goes with the last of them
  const suppressing = facts.rules.filter(
    (r) =>
      isSuppressing(r) &&
      empty.some((e) => e.family === r.family) &&
      asks.every((a) => a.family !== r.family || empty.includes(a)),
  );
  const remedy: Removal[] = [
    ...[...empty, ...suppressing].map((rule): Removal => ({ kind: "rule.del", rule })),
    ...tables.map(({ family, name }): Removal => ({ kind: "table.del", family, name })),
  ];
  if (remedy.length === 0) return [];
  const links = [...new Set(tables.map((t) => linkOfTable(t.name)))].join(", ");
  const numbers = [...new Set(empty.flatMap((r) => (r.action.kind === "lookup" ? [r.action.table] : [])))].join(", ");
  return [stale("stale.wg-quick", links || numbers, { link: links || "-", table: numbers || "-" }, "wg-quick", remedy)];
}

const wgQuickTable = "wg-quick-";
const linkOfTable = (name: string): string => name.slice(wgQuickTable.length);

function isSuppressing(rule: RuleFact): boolean {
  const { action, suppressPrefixLength, priority } = rule;
  return priority > 0 && action.kind === "lookup" && action.table === mainTable && suppressPrefixLength === 0;
}

/** By its numbers, when none of its processes runs and none of its routes leads into a link that somebody holds. */
function programLeft(facts: Facts, { programs }: Evidence, sign: Sign): readonly Stale[] {
  if (sign.programs.some((program) => programs.includes(program))) return [];
  const mine = (table: number): boolean => sign.tables?.includes(table) ?? false;
  const rules = facts.rules.filter(
    (r) =>
      r.priority > 0 &&
      ((r.action.kind === "lookup" && mine(r.action.table)) ||
        (r.mark !== null && (sign.marks?.includes(r.mark.value >>> 0) ?? false))),
  );
  const routes = facts.routes.filter((r) => mine(r.table));
  const alive = routes.some((r) => r.legs.some((leg) => isHeldTunnel(facts, leg.dev)));
  const tables = facts.nftTables.filter((t) => t.name.toLowerCase() === sign.nft);
  // routes by themselves are asked by nobody, and the number may be anybody's
  if (alive || (rules.length === 0 && tables.length === 0)) return [];
  const remedy: Removal[] = [
    ...rules.map((rule): Removal => ({ kind: "rule.del", rule })),
    ...routes.map((route): Removal => ({ kind: "route.del", route })),
    ...tables.map(({ family, name }): Removal => ({ kind: "table.del", family, name })),
  ];
  const data = { program: sign.name, process: sign.programs[0] ?? "-" };
  return [stale("stale.program", sign.name, data, sign.name, remedy)];
}

/** A TUN without carrier is one whose descriptor nobody holds: kernel/README 12.2. TAPs may be anybody's cable. */
function deadAdapters(facts: Facts): readonly Stale[] {
  return facts.links.filter(isDeadTunnel).map((link) => {
    const routes = facts.routes.filter((r) => r.table !== local && r.legs.some((leg) => leg.dev === link.name));
    const all = ["0.0.0.0/0", "0.0.0.0/1", "::/0", "::/1", "2000::/3"];
    const takes = routes.some((r) => all.includes(r.prefix)) ? "all" : String(routes.length);
    const remedy: Removal[] = [
      // named, so that what goes with the link is seen; those of main are why it matters
      ...routes.filter((r) => r.protocol !== protocolKernel).map((route): Removal => ({ kind: "route.del", route })),
      { kind: "link.del", name: link.name },
    ];
    const author = takes === "all" && routes.some((r) => lengthOf(r.prefix) === 1) ? "OpenVPN" : null;
    return stale("stale.adapter", link.name, { link: link.name, takes }, author, remedy);
  });
}

const local = 255;

function isDeadTunnel(link: LinkFact): boolean {
  return link.kind === "tun" && link.type !== ethernet && link.name !== linkName && link.master === 0 && !link.carrier;
}

/** Everything with our numbers, of whatever protocol: no plan of ours stands. */
function ownLeft(facts: Facts): readonly Stale[] {
  const rules = facts.rules.filter(
    (r) =>
      ranges.firstPriority <= r.priority &&
      r.priority <= ranges.lastPriority &&
      (r.protocol === protocolKernel || (r.action.kind === "lookup" && isOurTable(r.action.table))),
  );
  const link = facts.links.filter((l) => l.name === linkName && l.kind === "tun");
  const routes = facts.routes.filter(isOwnRoute);
  const hops = facts.nexthops.filter(
    (n) => n.protocol === protocolKernel && nexthopIds.first <= n.id && n.id <= nexthopIds.last,
  );
  const tables = facts.nftTables.filter((t) => t.name === tableName && ["inet", "netdev"].includes(t.family));
  const remedy: Removal[] = [
    ...rules.map((rule): Removal => ({ kind: "rule.del", rule })),
    ...routes.map((route): Removal => ({ kind: "route.del", route })),
    ...hops.map(({ id }): Removal => ({ kind: "nexthop.del", id })),
    ...link.map(({ name }): Removal => ({ kind: "link.del", name })),
    ...tables.map(({ family, name }): Removal => ({ kind: "table.del", family, name })),
  ];
  if (remedy.length === 0) return [];
  return [stale("stale.own", "culvert", { count: remedy.length }, "Culvert", remedy)];
}

const isOurTable = (table: number): boolean => ranges.firstTable <= table && table <= ranges.lastTable;

function namesLeft(facts: Facts, evidence: Evidence, dead: readonly Stale[]): readonly Stale[] {
  const names = new Set(facts.links.map((l) => l.name));
  const records = evidence.records.flatMap((record): Stale[] => {
    // wg-quick says tun.LINK, OpenVPN's script LINK.openvpn
    const link = record.split(".").find((part) => part !== "tun" && /^(tun|wg|ppp|vpn)[\w-]*$/.test(part));
    if (link === undefined || names.has(link) || link === linkName) return [];
    return [stale("stale.names", record, { server: record, link }, null, [{ kind: "names.record", record }])];
  });
  const { path, target, servers, immutable } = facts.resolver.resolvConf;
  // resolv.conf of resolvconf or systemd-resolved is not to be written by hand, and with a plan of ours it is ours
  if (evidence.standing || target !== null || immutable) return records;
  const marked = /openvpn|wg-quick|wireguard|\bvpn\b/i.test(evidence.remarks) && !somebodyTunnels(facts, evidence);
  const gone = servers.filter((server) => leadsIntoDead(facts, server, dead) || (marked && isUnknown(facts, server)));
  if (gone.length === 0) return records;
  const [way] = inMain(facts)
    .filter((r) => r.type === "unicast" && lengthOf(r.prefix) === 0)
    .sort((a, b) => a.family - b.family || a.metric - b.metric);
  const instead = gone.length < servers.length ? null : (way?.legs[0]?.via ?? null);
  const remedy: Removal[] =
    gone.length === servers.length && instead === null ? [] : [{ kind: "names.drop", path, servers: gone, instead }];
  const data = { server: gone.join(", "), link: path };
  return [...records, stale("stale.names", path, data, null, remedy)];
}

/** Its longest route is one of a dead adapter's. */
function leadsIntoDead(facts: Facts, server: Address, dead: readonly Stale[]): boolean {
  const devs = new Set(dead.flatMap((s) => s.remedy.flatMap((r) => (r.kind === "link.del" ? [r.name] : []))));
  const [first] = inMain(facts)
    .filter((r) => r.family === familyOf(server) && covers(r.prefix, hostPrefix(server)))
    .sort((a, b) => lengthOf(b.prefix) - lengthOf(a.prefix) || a.metric - b.metric);
  const own = facts.addresses.some((a) => devs.has(a.link) && covers(networkOf(a.address), hostPrefix(server)));
  return own || (first?.legs.some((leg) => devs.has(leg.dev)) ?? false);
}

/** Private, and no network of this machine: nothing but a tunnel ever led there. */
function isUnknown(facts: Facts, server: Address): boolean {
  const host = hostPrefix(server);
  if (!privateSpace.some((space) => covers(space, host))) return false;
  const known = inMain(facts).some((r) => lengthOf(r.prefix) > 0 && covers(r.prefix, host));
  return !known && inMain(facts).every((r) => r.legs.every((leg) => leg.via !== server));
}

function routesIn(facts: Facts, rule: RuleFact): readonly RouteFact[] {
  const { action, family } = rule;
  return action.kind === "lookup" ? facts.routes.filter((r) => r.family === family && r.table === action.table) : [];
}
