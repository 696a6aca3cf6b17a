// What a machine's network is made of, as text: taken before and after, equal means restored. Counters, ages and handles
// change by themselves and are left out; everything a program could have changed is in.
import type { Machine } from "./machine.ts";

export type Snapshot = Readonly<Record<string, string>>;

const parts: Readonly<Record<string, string>> = {
  links: "ip -o link | sed 's/ qlen .*//'",
  addresses: "ip -o addr | sed 's/ valid_lft.*//; s/\\\\.*//'",
  "rules of IPv4": "ip rule",
  "rules of IPv6": "ip -6 rule",
  "routes of IPv4": "ip route show table all",
  "routes of IPv6": "ip -6 route show table all | sed 's/ expires [0-9]*sec//'",
  nexthops: "ip nexthop",
  nft: "nft list ruleset",
  // every switch of the network but those that count or follow from uptime
  sysctls:
    "sysctl -a 2>/dev/null | grep '^net\\.' | grep -Ev 'nf_conntrack_(count|buckets)|stable_secret|\\.mtu_expires|random'",
  "resolv.conf": "cat /etc/resolv.conf",
};

export async function snapshot(machine: Machine): Promise<Snapshot> {
  const taken = await Promise.all(
    Object.entries(parts).map(async ([name, command]) => [name, (await machine.exec(command)).stdout] as const),
  );
  return Object.fromEntries(taken);
}

/** Lines that are there only before (-) or only after (+), by part; empty when nothing differs. */
export function differences(before: Snapshot, after: Snapshot): readonly string[] {
  return Object.keys(parts).flatMap((name) => {
    const [was, is] = [lines(before[name]), lines(after[name])];
    const gone = was.filter((line) => !is.includes(line)).map((line) => `${name} - ${line}`);
    const come = is.filter((line) => !was.includes(line)).map((line) => `${name} + ${line}`);
    return [...gone, ...come];
  });
}

function lines(text = ""): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
