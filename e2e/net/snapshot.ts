// The machine as it is, as text that can be compared: addresses, routes of all tables, rules, nftables, the sysctls of the
// network, the resolver. Lifetimes count down by themselves and are left out, neighbours come and go.
import type { Machine } from "../lab/machine.ts";

export type Snapshot = Readonly<Record<string, string>>;

const commands: Readonly<Record<string, string>> = {
  links: "ip -o link show",
  addresses: "ip -o addr show",
  "routes, IPv4": "ip -4 route show table all",
  "routes, IPv6": "ip -6 route show table all",
  "rules, IPv4": "ip -4 rule show",
  "rules, IPv6": "ip -6 rule show",
  nexthops: "ip nexthop show",
  nft: "nft list ruleset",
  sysctls: "sysctl -a --pattern '^net\\.'",
  resolver: "ls -l /etc/resolv.conf | cut -d' ' -f1,3,4; cat /etc/resolv.conf",
};

/** Counters and clocks among the sysctls; conntrack's count lives as long as its entries. */
const restless = /^net\.(netfilter\.nf_conntrack_count|ipv[46]\.(route\.)?.*gc_|core\.(bpf|flow_limit))/;

export async function snapshot(machine: Machine): Promise<Snapshot> {
  const entries = Object.entries(commands).map(async ([name, command]) => {
    const shown = await machine.exec(command, { mayFail: true });
    return [name, calm(shown.stdout)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

function calm(text: string): string {
  return text
    .split("\n")
    .filter((line) => !restless.test(line))
    .map((line) => line.replace(/ (expires|valid_lft|preferred_lft) \S+/g, "").trimEnd())
    .sort()
    .join("\n");
}
