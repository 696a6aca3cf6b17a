// The few switches the plan cannot do without; the journal puts each back. Left alone, and why: rp_filter (identity
// rules satisfy strict ones, 10.1-10.4), ip_forward, src_valid_mark, fwmark_reflect and tcp_fwmark_accept (off is what
// the plan wants: 2.12, 2.20; a 1 there is a note), disable_ipv6 (blocking is the gate's work).
import type { Policy } from "../contract/policy.ts";
import { familyOf, lengthOf, type Prefix } from "../contract/prefix.ts";
import { largeSet, linkName } from "../plan/numbers.ts";
import type { PlanSysctl } from "../plan/plan.ts";
import type { Ground } from "./ground.ts";

export function sysctlsOf(ground: Ground): readonly PlanSysctl[] {
  const six = ground.facts.features.ipv6;
  const large = ground.lanes.some((l) => l.prefixes[4].length > largeSet || l.prefixes[6].length > largeSet);
  return [
    // no link-local address of its own and so no router solicitations into the tunnel: IN6_ADDR_GEN_MODE_NONE
    ...(ground.adapter && six ? [set(`net.ipv6.conf.${linkName}.addr_gen_mode`, "1")] : []),
    // IPv4 takes redirects when `all` OR the device says so (13.3: one message moves a destination, no table shows it)
    set("net.ipv4.conf.all.accept_redirects", "0"),
    ...ground.links.filter((link) => !link.inner).flatMap((link) => forLink(ground, link.name, six)),
    // welcomed callers are told from our own old connections by conntrack's direction; loose pick-up turns it round (I), but
    // without it their connections from before the gate end
    ...(takesUp(ground.policy) ? [] : [set("net.netfilter.nf_conntrack_tcp_loose", "0")]),
    // else a replaced nexthop announces each of its routes again (Numbers: 75 ms against 3)
    ...(large && ground.facts.features.nexthops ? [set("net.ipv4.nexthop_compat_mode", "0")] : []),
  ];
}

/**
 * Whether connections from before the gate are taken up by conntrack. Nobody from outside has any where nobody is welcome;
 * and whoever welcomes a single host ("keep my way in") means its connection: the gap is then to that very caller.
 */
export function takesUp({ welcome }: Policy): boolean {
  const host = (prefix: Prefix): boolean => lengthOf(prefix) === (familyOf(prefix) === 4 ? 32 : 128);
  return welcome.length === 0 || welcome.some((w) => w.protocol === "tcp" && w.from.some(host));
}

function forLink(ground: Ground, name: string, six: boolean): readonly PlanSysctl[] {
  const device = name.replaceAll(".", "/");
  const key = `net.ipv4.conf.${device}`;
  return [
    set(`${key}.accept_redirects`, "0"),
    ...(six ? [set(`net.ipv6.conf.${device}.accept_redirects`, "0")] : []),
    // ARP for the inside address is not answered (10.9-10.12); who has a stricter 2 keeps it
    ...(Number(ground.facts.sysctls[`${key}.arp_ignore`] ?? "0") > 1 ? [] : [set(`${key}.arp_ignore`, "1")]),
    // nor does our own asking name it (10.13)
    set(`${key}.arp_announce`, "2"),
  ];
}

function set(key: string, value: string): PlanSysctl {
  return { key, value };
}
