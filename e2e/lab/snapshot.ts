// The machine as it is, as text that can be compared: addresses, routes of all tables, rules, nftables, the sysctls of the
// network, the resolver. Lifetimes count down by themselves and are left out, neighbours come and go.
import type { Machine } from "./machine.ts";

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

/** Lines that are there only before (-) or only after (+), by part; empty when nothing differs. */
export function differences(before: Snapshot, after: Snapshot): readonly string[] {
  return Object.keys(commands).flatMap((name) => {
    const [was, is] = [(before[name] ?? "").split("\n"), (after[name] ?? "").split("\n")];
    const gone = was.filter((line) => !is.includes(line)).map((line) => `${name} - ${line}`);
    const come = is.filter((line) => !was.includes(line)).map((line) => `${name} + ${line}`);
    return [...gone, ...come];
  });
}

function calm(text: string): string {
  return text
    .split("\n")
    .filter((line) => !restless.test(line))
    .map((line) => line.replace(/ (expires|valid_lft|preferred_lft) \S+/g, "").trimEnd())
    .sort()
    .join("\n");
}
