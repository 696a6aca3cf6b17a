// A gate as `nft` text: what a careful operator would have typed, and what golden tests compare. nft 1.0.6 and later
// read it back. Two things nft's language cannot say are said as comments: the flags owner and persist (5.1), and that
// device "*" is the empty device prefix (F), which only nfnetlink can ask for on kernels that know it.
import type { NftChain, NftMatch, NftRule, NftSet, NftTable, NftVerdict } from "./nft.ts";

/** Sets longer than this are cut in the print for people; the text for `nft -f` is whole. */
const shownElements = 8;

export function printNft(table: NftTable, options: { readonly short?: boolean } = {}): string {
  const owned = table.owned ? ["\t# flags owner, persist"] : [];
  const sets = table.sets.map((set) => printSet(set, options.short === true));
  const chains = jumpedFirst(table.chains).map((chain) => printChain(chain, table.family));
  return [`table ${table.family} ${table.name} {`, [...owned, ...sets, ...chains].join("\n"), "}"].join("\n") + "\n";
}

export function printNftRule(rule: NftRule, family: NftTable["family"]): string {
  const words = [
    ...rule.matches.map((match) => printMatch(match, family)),
    ...(rule.counter ? ["counter"] : []),
    printVerdict(rule.verdict),
    `comment "${rule.note}"`,
  ];
  return words.join(" ");
}

function printSet(set: NftSet, short: boolean): string {
  const shown = short && set.elements.length > shownElements ? set.elements.slice(0, shownElements) : set.elements;
  const rest = set.elements.length - shown.length;
  const elements = rest > 0 ? `${shown.join(", ")}, … ${rest} more` : shown.join(", ");
  const lines = [`\tset ${set.name} {`, `\t\ttype ${set.type}`, "\t\tflags interval"];
  if (set.elements.length > 0) lines.push(`\t\telements = { ${elements} }`);
  return [...lines, "\t}"].join("\n");
}

function printChain(chain: NftChain, family: NftTable["family"]): string {
  const head = chain.base === null ? [] : [`\t\t${printBase(chain.base)}`];
  return [`\tchain ${chain.name} {`, ...head, ...chain.rules.map((r) => `\t\t${printNftRule(r, family)}`), "\t}"].join(
    "\n",
  );
}

function printBase(base: NonNullable<NftChain["base"]>): string {
  const devices = base.devices === undefined ? "" : ` ${printDevices(base.devices)}`;
  return `type ${base.type} hook ${base.hook}${devices} priority ${base.priority}; policy ${base.policy};`;
}

function printDevices(devices: NonNullable<NonNullable<NftChain["base"]>["devices"]>): string {
  if (devices.kind === "all") return 'device "*"';
  return `devices = { ${devices.names.map((name) => `"${name}"`).join(", ")} }`;
}

function printMatch(match: NftMatch, family: NftTable["family"]): string {
  const not = "not" in match && match.not ? "!= " : "";
  switch (match.kind) {
    case "iifname":
    case "oifname":
      return `${match.kind} ${not}"${match.name}"`;
    case "mark":
      return `meta mark & ${hex(match.mask)} ${match.not === true ? "!=" : "=="} ${hex(match.value)}`;
    case "saddr":
    case "daddr":
      return `${match.prefix.includes(":") ? "ip6" : "ip"} ${match.kind} ${not}${match.prefix}`;
    case "saddr-set":
    case "daddr-set":
      return `${match.family === 4 ? "ip" : "ip6"} ${match.kind.slice(0, 5)} ${not}@${match.set}`;
    case "family":
      if (family === "inet") return `meta nfproto ${match.family === 4 ? "ipv4" : "ipv6"}`;
      return `meta protocol ${match.family === 4 ? "ip" : "ip6"}`;
    case "ethertype":
      return `meta protocol 0x${match.type.toString(16).padStart(4, "0")}`;
    case "arp-saddr":
    case "arp-daddr":
      return `arp ${match.kind.slice(4)} ip ${not}${match.prefix}`;
    case "protocol":
      return `meta l4proto ${match.protocol}`;
    case "sport":
    case "dport":
      return `th ${match.kind} ${match.from === match.to ? match.from : `${match.from}-${match.to}`}`;
    case "icmp-type":
      return `${match.family === 4 ? "icmp" : "icmpv6"} type { ${match.types.join(", ")} }`;
    case "hops":
      return `${match.family === 4 ? "ip ttl" : "ip6 hoplimit"} ${match.value}`;
    case "ct-state":
      return `ct state ${match.states.join(",")}`;
    case "ct-direction":
      return `ct direction ${match.direction}`;
    case "ip-option":
      return `ip option ${match.option} exists`;
    case "routing-header":
      return "exthdr rt exists";
    case "hdrlength":
      return `ip hdrlength > ${match.above}`;
    case "fib-daddr-type":
      return `fib daddr type ${not}${match.type}`;
    case "skuid":
      return `meta skuid ${match.from === match.to ? match.from : `${match.from}-${match.to}`}`;
  }
}

function printVerdict(verdict: NftVerdict): string {
  switch (verdict.kind) {
    case "set-mark":
      return `meta mark set meta mark & ${hex(~verdict.mask)} | ${hex(verdict.value)}`;
    case "reject":
      return "reject with icmpx type admin-prohibited";
    case "redirect":
      return `redirect to :${verdict.port}`;
    case "jump":
      return `jump ${verdict.chain}`;
    default:
      return verdict.kind;
  }
}

/** nft reads a jump only after the chain it leads to: chains that are jumped to come first, the deepest before all. */
function jumpedFirst(chains: readonly NftChain[]): readonly NftChain[] {
  const byName = new Map(chains.map((c) => [c.name, c]));
  const out: NftChain[] = [];
  const seen = new Set<string>();
  const visit = (chain: NftChain): void => {
    if (seen.has(chain.name)) return;
    seen.add(chain.name);
    for (const { verdict } of chain.rules) {
      const next = verdict.kind === "jump" ? byName.get(verdict.chain) : undefined;
      if (next !== undefined) visit(next);
    }
    out.push(chain);
  };
  for (const chain of chains) visit(chain);
  return out;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16).padStart(8, "0")}`;
}
