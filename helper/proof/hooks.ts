// nftables as the packet meets it: the base chains of one hook by priority, rule after rule. An `accept` ends its base
// chain only, the next one of the hook still decides; a `drop` ends the packet.
import type { Prefix } from "../contract/prefix.ts";
import type { NftChain, NftMatch, NftRule, NftTable } from "../plan/nft.ts";
import { multicast4, multicast6, oneOf, broadcast4 } from "./fib.ts";
import { localTable, type Machine } from "./machine.ts";
import { anyCt, ctStates, type Packet, type PrefixSet } from "./packet.ts";

export type Hook = "prerouting" | "input" | "forward" | "output" | "postrouting" | "egress";

export interface At {
  readonly hook: Hook;
  /** null: none at this hook; nft then sees an empty name */
  readonly iif: string | null;
  readonly oif: string | null;
}

export interface HookStep {
  readonly hook: Hook;
  readonly table: string;
  readonly chain: string;
  /** null: the chain's policy decided */
  readonly rule: NftRule | null;
  readonly verdict: "accept" | "drop" | "reject" | "set-mark";
}

export interface Passed {
  readonly verdict: "accept" | "drop" | "reject";
  /** a `type route` chain changed the mark: the route is asked again (2.4) */
  readonly reroute: boolean;
}

/** Runs a hook; `seen` is told each rule that decided something. */
export function runHook(machine: Machine, packet: Packet, at: At, seen: (step: HookStep) => void): Passed {
  let reroute = false;
  for (const { table, chain } of baseChains(machine, at)) {
    if (table.family === "inet" && packet.carries !== "ip") continue;
    const run: Run = { machine, packet, at, table, seen, marked: false };
    const verdict = runChain(run, chain) ?? policyOf(run, chain);
    if (chain.base?.type === "route" && run.marked) reroute = true;
    if (verdict !== "accept") return { verdict, reroute };
  }
  return { verdict: "accept", reroute };
}

interface Run {
  readonly machine: Machine;
  readonly packet: Packet;
  readonly at: At;
  readonly table: NftTable;
  readonly seen: (step: HookStep) => void;
  marked: boolean;
}

function baseChains(machine: Machine, at: At): readonly Base[] {
  const chains = chainsOf(machine.nft).filter(({ chain }) => chain.base?.hook === at.hook);
  return at.hook === "egress" ? chains.filter(({ chain }) => onDevice(chain, at.oif)) : chains;
}

interface Base {
  readonly table: NftTable;
  readonly chain: NftChain;
}

/** The base chains of a gate by priority; kept, because every packet asks. */
function chainsOf(nft: readonly NftTable[]): readonly Base[] {
  const known = sortedChains.get(nft);
  if (known) return known;
  const chains = nft
    .flatMap((table) => table.chains.filter((chain) => chain.base !== null).map((chain) => ({ table, chain })))
    .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0));
  sortedChains.set(nft, chains);
  return chains;
}

const sortedChains = new WeakMap<readonly NftTable[], readonly Base[]>();

/** F, 4.34: the empty prefix is every device; a list of names follows the name, not the device (4.36). */
function onDevice(chain: NftChain, oif: string | null): boolean {
  const devices = chain.base?.devices;
  if (devices === undefined) return false;
  return devices.kind === "all" || (oif !== null && devices.names.includes(oif));
}

function policyOf(run: Run, chain: NftChain): "accept" | "drop" {
  const policy = chain.base?.policy ?? "accept";
  run.seen({ hook: run.at.hook, table: run.table.name, chain: chain.name, rule: null, verdict: policy });
  return policy;
}

/** undefined: fell off the end, or returned. */
function runChain(run: Run, chain: NftChain): "accept" | "drop" | "reject" | undefined {
  for (const rule of chain.rules) {
    if (!allHold(run, rule.matches)) continue;
    const { verdict } = rule;
    if (verdict.kind === "return") return undefined;
    if (verdict.kind === "jump") {
      const target = run.table.chains.find((c) => c.name === verdict.chain);
      const inside = target === undefined ? undefined : runChain(run, target);
      if (inside !== undefined) return inside;
      continue;
    }
    run.seen({ hook: run.at.hook, table: run.table.name, chain: chain.name, rule, verdict: verdict.kind });
    if (verdict.kind !== "set-mark") return verdict.kind;
    run.packet.setMark(verdict.mask, verdict.value);
    run.marked = true;
  }
  return undefined;
}

function allHold(run: Run, matches: readonly NftMatch[]): boolean {
  for (const match of matches) if (!holds(run, match)) return false;
  return true;
}

function holds({ packet, at, table }: Run, match: NftMatch): boolean {
  switch (match.kind) {
    case "iifname":
      return nameIs(match.name, at.iif) !== (match.not === true);
    case "oifname":
      return nameIs(match.name, at.oif) !== (match.not === true);
    case "mark":
      return packet.mark(match.mask, match.value) !== (match.not === true);
    case "saddr":
    case "daddr":
      return (
        isIp(packet, familyOfText(match.prefix)) &&
        side(packet, match.kind, oneOf(match.prefix)) !== (match.not === true)
      );
    case "saddr-set":
    case "daddr-set":
      return isIp(packet, match.family) && side(packet, match.kind, setOf(table, match.set)) !== (match.not === true);
    case "family":
      return isIp(packet, match.family);
    case "ethertype":
      return packet.ethertype(match.type);
    case "arp-saddr":
      return packet.carries === "arp" && packet.source(oneOf(match.prefix)) !== (match.not === true);
    case "arp-daddr":
      return packet.carries === "arp" && packet.destination(oneOf(match.prefix)) !== (match.not === true);
    case "protocol":
      return packet.carries === "ip" && packet.protocol(match.protocol, match.protocol);
    case "sport":
    case "dport":
      // 4.18: a later fragment has no ports at egress; elsewhere conntrack has put it together
      if (packet.carries !== "ip" || (at.hook === "egress" && packet.flag("later-fragment"))) return false;
      return match.kind === "sport" ? packet.sport(match.from, match.to) : packet.dport(match.from, match.to);
    case "icmp-type":
      return icmpTypeIs(packet, at, match.family, match.types);
    case "hops":
      return isIp(packet, match.family) && packet.hops(match.value);
    case "ct-state":
      return packet.ct(match.states.reduce((bits, state) => bits | ctBits[state], 0));
    case "ct-direction":
      return packet.ct(match.direction === "reply" ? replies : originals);
    case "ip-option":
      return isIp(packet, 4) && packet.flag(match.option);
    case "routing-header":
      return isIp(packet, 6) && packet.flag("routing-header");
    case "fib-daddr-type":
      return packet.carries === "ip" && addressType(packet, match.type) !== (match.not === true);
    case "skuid":
      // 2.28: packets of the kernel have no socket, those from elsewhere none either
      return packet.origin.kind === "socket" && !packet.origin.kernel && packet.uid(match.from, match.to);
    default:
      return match satisfies never;
  }
}

const ctBits = {
  new: ctStates.new,
  established: ctStates.establishedOriginal | ctStates.establishedReply,
  related: ctStates.relatedOriginal | ctStates.relatedReply,
  invalid: ctStates.invalid,
  untracked: ctStates.untracked,
} as const;
const replies = ctStates.establishedReply | ctStates.relatedReply;
/** 6.17: invalid and untracked have no direction */
const originals = anyCt & ~(replies | ctStates.invalid | ctStates.untracked);

function nameIs(pattern: string, name: string | null): boolean {
  if (name === null) return false;
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

const isIp = (packet: Packet, family: 4 | 6): boolean => packet.carries === "ip" && packet.family === family;
const familyOfText = (prefix: Prefix): 4 | 6 => (prefix.includes(":") ? 6 : 4);

function side(packet: Packet, kind: "saddr" | "daddr" | "saddr-set" | "daddr-set", set: PrefixSet): boolean {
  return kind.startsWith("s") ? packet.source(set) : packet.destination(set);
}

/** The question a set stands for; the proof prepares all of them under the same key. */
export function setOf(table: NftTable, name: string): PrefixSet {
  const set = table.sets.find((s) => s.name === name);
  // a rule that names a set that is not there does not load: the plan would be refused by the kernel
  if (set === undefined) throw new Error(`nft table ${table.name} has no set ${name}`);
  return { key: `@${table.family} ${table.name} ${name}`, prefixes: set.elements };
}

function icmpTypeIs(packet: Packet, at: At, family: 4 | 6, types: readonly number[]): boolean {
  if (!isIp(packet, family) || !packet.protocol(family === 4 ? 1 : 58, family === 4 ? 1 : 58)) return false;
  if (at.hook === "egress" && packet.flag("later-fragment")) return false;
  return types.some((type) => packet.icmpType(type, type));
}

/** `fib daddr type` looks in table local only. */
function addressType(packet: Packet, type: "local" | "broadcast" | "multicast"): boolean {
  if (type === "multicast") return packet.destination(packet.family === 4 ? multicast4 : multicast6);
  if (type === "broadcast" && packet.family === 4 && packet.destination(broadcast4)) return true;
  return packet.covering(localTable)[0]?.type === type;
}
