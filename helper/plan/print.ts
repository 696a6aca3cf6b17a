// A plan, or one step of its way, as the commands a careful operator would have typed. The text is for reading, for
// golden tests and for doing it by hand; nothing in the helper runs or parses it.
import type { Operation } from "./diff.ts";
import type { RouteFact, RuleFact } from "./facts.ts";
import { resolvconfRecord } from "./numbers.ts";
import type { Plan, PlanDns, PlanNexthop, PlanRoute } from "./plan.ts";
import { printNft } from "./print-nft.ts";
import { ruleFact } from "./simulate.ts";

export { printNft } from "./print-nft.ts";

/** A plan of more routes than this prints the first of them and how many follow, when asked to be short. */
const shownRoutes = 64;

export function printPlan(plan: Plan, options: { readonly short?: boolean } = {}): string {
  const short = options.short === true;
  const gate = ["# gate", ...plan.nft.map((table) => printNft(table, { short }).trimEnd())];
  const link = plan.link;
  const shown = short ? plan.routes.slice(0, shownRoutes) : plan.routes;
  const way = [
    ...section("adapter", link === null ? [] : [`ip tuntap add mode tun name ${link.name}`]),
    ...section("sysctls", plan.sysctls.map(printSysctl)),
    ...section("link", link === null ? [] : printLink(link)),
    ...section("nexthops", plan.nexthops.map(printNexthop)),
    ...section("routes", shown.map(printRoute)),
    ...(shown.length < plan.routes.length ? [`# … ${plan.routes.length - shown.length} more`] : []),
    ...section(
      "rules",
      plan.rules.map((r) => printRule("add", ruleFact(r))),
    ),
    ...section("names", plan.dns === null ? [] : printDns(plan.dns)),
  ];
  const lock = plan.nft.length === 0 ? ["# gate: none"] : gate;
  const parts = plan.order === "gate-first" ? [...lock, ...way] : [...way, ...lock];
  return [`# ${plan.state}`, ...parts].join("\n") + "\n";
}

export function printOperation(op: Operation): string {
  switch (op.kind) {
    case "sysctl.set":
      return printSysctl(op);
    case "link.set":
      return `ip link set dev ${op.name} mtu ${op.mtu} txqueuelen ${op.txQueueLen} up`;
    case "link.del":
      return `ip link del dev ${op.name}`;
    case "address.add":
      return `ip addr add ${op.address} dev ${op.link} noprefixroute`;
    case "address.del":
      return `ip addr del ${op.address} dev ${op.link}`;
    case "nexthop.replace":
      return printNexthop(op.nexthop);
    case "nexthop.del":
      return `ip nexthop del id ${op.id}`;
    case "route.replace":
      return printRoute(op.route);
    case "route.del":
      return printRouteDel(op.route);
    case "rule.add":
      return printRule("add", ruleFact(op.rule));
    case "rule.del":
      return printRule("del", op.rule);
  }
}

export function printRoute(route: PlanRoute): string {
  const { to } = route;
  const type = to.kind === "dev" || to.kind === "nexthop" ? "" : `${to.kind} `;
  let by = "";
  if (to.kind === "nexthop") by = ` nhid ${to.id}`;
  if (to.kind === "dev") {
    if (to.via !== null) by += ` via ${to.via}`;
    by += ` dev ${to.dev}`;
    if (to.onlink) by += " onlink";
    if (to.src !== null) by += ` src ${to.src}`;
  }
  const where = `table ${route.table} metric ${route.metric} proto kernel`;
  return `${ip(route.family)} route replace ${type}${route.prefix}${by} ${where}`;
}

function printLink(link: NonNullable<Plan["link"]>): readonly string[] {
  const { name, mtu, txQueueLen, addresses } = link;
  return [
    printOperation({ kind: "link.set", name, mtu, txQueueLen }),
    ...addresses.map((address) => printOperation({ kind: "address.add", link: name, address })),
  ];
}

function printSysctl(sysctl: { readonly key: string; readonly value: string }): string {
  return `sysctl -w ${sysctl.key}=${sysctl.value}`;
}

function printNexthop(nexthop: PlanNexthop): string {
  const head = `${ip(nexthop.family)} nexthop replace id ${nexthop.id}`;
  const { to } = nexthop;
  if (to.kind === "blackhole") return `${head} blackhole proto kernel`;
  const via = to.via === null ? "" : ` via ${to.via}`;
  return `${head}${via} dev ${to.dev}${to.onlink ? " onlink" : ""} proto kernel`;
}

function printRouteDel(route: RouteFact): string {
  const words = [ip(route.family), "route del"];
  if (route.type !== "unicast") words.push(route.type);
  words.push(route.prefix);
  const [leg] = route.legs;
  if (route.nexthop !== null) words.push(`nhid ${route.nexthop}`);
  else if (route.legs.length === 1 && leg !== undefined && route.type === "unicast")
    words.push(...(leg.via === null ? [] : [`via ${leg.via}`]), `dev ${leg.dev}`);
  return [...words, `table ${route.table} metric ${route.metric}`].join(" ");
}

function printRule(verb: "add" | "del", rule: RuleFact): string {
  const range = (r: { readonly from: number; readonly to: number }) => `${r.from}-${r.to}`;
  const words = [ip(rule.family), "rule", verb, `pref ${rule.priority}`];
  if (rule.not) words.push("not");
  if (rule.from !== null) words.push(`from ${rule.from}`);
  if (rule.to !== null) words.push(`to ${rule.to}`);
  if (rule.iif !== null) words.push(`iif ${rule.iif}`);
  if (rule.oif !== null) words.push(`oif ${rule.oif}`);
  if (rule.mark !== null) words.push(`fwmark ${hex(rule.mark.value)}/${hex(rule.mark.mask)}`);
  if (rule.uids !== null) words.push(`uidrange ${range(rule.uids)}`);
  if (rule.ipProtocol !== null) words.push(`ipproto ${rule.ipProtocol}`);
  if (rule.sport !== null) words.push(`sport ${range(rule.sport)}`);
  if (rule.dport !== null) words.push(`dport ${range(rule.dport)}`);
  if (rule.tos !== 0) words.push(`tos ${rule.tos}`);
  words.push(printAction(rule.action));
  if (rule.suppressPrefixLength !== null) words.push(`suppress_prefixlength ${rule.suppressPrefixLength}`);
  return [...words, `protocol ${protocolOf(rule.protocol)}`].join(" ");
}

/** RTPROT_* by the names that /etc/iproute2/rt_protos gives them; who wrote a rule or route says so by this. */
export function protocolOf(protocol: number): string {
  return protocolNames[protocol] ?? String(protocol);
}

const protocolNames: Readonly<Record<number, string>> = {
  ...{ 0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra" },
  ...{ 12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 99: "openr" },
  ...{ 186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp" },
};

function printAction(action: RuleFact["action"]): string {
  switch (action.kind) {
    case "lookup":
      return `lookup ${action.table}`;
    case "goto":
      return `goto ${action.priority}`;
    default:
      return action.kind;
  }
}

function printDns(dns: PlanDns): readonly string[] {
  switch (dns.by) {
    case "resolved":
      return [
        `resolvectl dns ${dns.link} ${dns.servers.join(" ")}`,
        `resolvectl domain ${dns.link} '~.'`,
        `resolvectl default-route ${dns.link} yes`,
        "resolvectl flush-caches",
      ];
    case "resolvconf":
      return [`${printServers(dns.servers)} | resolvconf -a ${resolvconfRecord(dns.link)} -m 0 -x`];
    case "file":
      return [`${printServers(dns.servers)} > ${dns.path}`];
  }
}

function printServers(servers: PlanDns["servers"]): string {
  return `printf '${servers.map((s) => `nameserver ${s}\\n`).join("")}'`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`# ${title}`, ...lines];
}

function ip(family: 4 | 6): string {
  return family === 4 ? "ip" : "ip -6";
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
