// nftables as the packet meets it: the base chains of one hook by priority, rule after rule. An `accept` ends its base
// chain only, the next one of the hook still decides; a `drop` ends the packet.
import type { Prefix } from "../contract/prefix.ts";
import type { NftChain, NftMatch, NftRule, NftTable } from "../plan/nft.ts";
import { multicast4, multicast6, oneOf, broadcast4 } from "./fib.ts";
import { localTable, type Machine } from "./machine.ts";
import { redirected } from "./redirected.ts";
import { anyCt, ctStates, first, standIn, type Packet, type Part, type PrefixSet, type StandIn } from "./packet.ts";

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
  readonly verdict: "accept" | "drop" | "reject" | "set-mark" | "redirect";
}

export interface Passed {
  readonly verdict: "accept" | "drop" | "reject";
  /** a `type route` chain changed the mark: the route is asked again (2.4) */
  readonly reroute: boolean;
  /** led to this machine itself, at this port */
  readonly redirect: number | null;
}

/** Runs a hook; `seen` is told each rule that decided something. */
export function runHook(machine: Machine, packet: Packet, at: At, seen: (step: HookStep) => void): Passed {
  const lines = linesAt(machine.nft, at, packet);
  if (lines.base.length === 0) return passedAs("accept", false, null);
  return packet.summed(lines, (asked) => runLines(machine, asked, at, lines, seen));
}

function runLines(machine: Machine, packet: Packet, at: At, lines: Lines, seen: (step: HookStep) => void): Passed {
  let reroute = false;
  let redirect: number | null = null;
  let asked = packet;
  for (const { table, chain } of lines.base) {
    const remarks = chain.base?.type === "route";
    // who is led elsewhere is decided by the first packet of a connection
    if (chain.base?.type === "nat" && !asked.ct(ctStates.new)) continue;
    const run: Run = { machine, packet: asked, at, table, lines, seen, remarks, marked: { yes: false } };
    const verdict = runChain(run, chain) ?? policyOf(run, chain);
    if (remarks && run.marked.yes) reroute = true;
    if (typeof verdict === "number") {
      redirect = verdict;
      // the chains behind see where it goes now, and the device of before
      asked = redirected(asked, redirect);
    } else if (verdict !== "accept") return passedAs(verdict, reroute, redirect);
  }
  return passedAs("accept", reroute, redirect);
}

/** The same answer is the same value: so ways to it can be told to be one. */
function passedAs(verdict: Passed["verdict"], reroute: boolean, redirect: number | null): Passed {
  const key = `${verdict} ${reroute} ${redirect ?? ""}`;
  let value = passed.get(key);
  if (value === undefined) passed.set(key, (value = { verdict, reroute, redirect }));
  return value;
}

const passed = new Map<string, Passed>();

interface Run {
  readonly machine: Machine;
  readonly packet: Packet;
  readonly at: At;
  readonly table: NftTable;
  readonly lines: Lines;
  readonly seen: (step: HookStep) => void;
  /** a `type route` chain: whether it changed the mark is asked */
  readonly remarks: boolean;
  readonly marked: { yes: boolean };
}

/** The lines that packets of one family meet at a hook, by the devices they come and go by. */
interface Lines extends Part {
  readonly base: readonly Base[];
  /** Of each chain the lines that devices and family leave in question, with the matches that they leave so. */
  readonly left: Map<NftChain, readonly Line[]>;
}

interface Base {
  readonly table: NftTable;
  readonly chain: NftChain;
}

interface Line extends Part {
  readonly rule: NftRule;
  readonly matches: readonly NftMatch[];
  /** all matches together */
  readonly asks: Part;
}

function linesAt(nft: readonly NftTable[], at: At, packet: Packet): Lines {
  let known = linesOf.get(nft);
  if (known === undefined) linesOf.set(nft, (known = new Map<string, Lines>()));
  const key = `${at.hook} ${at.iif ?? "/"} ${at.oif ?? "/"} ${packet.family} ${packet.carries} ${hasOwner(packet)}`;
  const found = known.get(key);
  if (found) return found;
  const base = baseChains(nft, at, packet);
  const left = new Map<NftChain, readonly Line[]>();
  for (const { table, chain } of base) leaveOver({ table, at, packet, left }, chain);
  const like = standIn(base.map(({ chain }) => told(chain, left.get(chain) ?? [])).join("\n"));
  const made: Lines = { born: "any", like, base, left };
  known.set(key, made);
  return made;
}

const linesOf = new WeakMap<readonly NftTable[], Map<string, Lines>>();

/** Where lines stand, as far as it decides what they ask. */
interface Place {
  readonly table: NftTable;
  readonly at: At;
  readonly packet: Packet;
  readonly left: Map<NftChain, readonly Line[]>;
}

/** Lines that ask the same and say the same are one to who remembers, wherever they stand. */
function leaveOver(place: Place, chain: NftChain): readonly Line[] {
  const known = place.left.get(chain);
  if (known) return known;
  const made: Line[] = [];
  // a chain that jumps in a circle does not load; here it would find itself empty
  place.left.set(chain, made);
  const where = `${place.at.hook === "egress" ? "egress" : ""} ${hasOwner(place.packet) ? "owner" : ""}`;
  for (const rule of chain.rules) {
    const matches: NftMatch[] = [];
    let asks = where;
    let never = false;
    for (const match of rule.matches) {
      const yes = settled(place, match);
      if (yes === false) never = true;
      if (yes !== null) continue;
      matches.push(match);
      asks += ` ${toldMatch(place.table, match)}`;
    }
    if (never) continue;
    const { verdict } = rule;
    const target = verdict.kind === "jump" ? place.table.chains.find((c) => c.name === verdict.chain) : undefined;
    const to = target === undefined ? "" : told(target, leaveOver(place, target));
    const line: Line = {
      ...{ born: "any", like: standIn(`${asks} ${toldOnce(verdict)} ${to}`), rule, matches },
      asks: { born: "any", like: standIn(asks) },
    };
    made.push(line);
  }
  return made;
}

/** What a chain comes to, in so few words that equal ones are equal. */
function told({ base }: NftChain, lines: readonly Line[]): string {
  return `${base?.type ?? ""} ${base?.policy ?? ""} ${lines.map(({ like }) => (like as StandIn).number).join()}`;
}

function toldMatch(table: NftTable, match: NftMatch): string {
  if (!("set" in match)) return toldOnce(match);
  return `${match.kind} ${match.not === true ? "not" : ""} ${setOf(table, match.set).key}`;
}

function toldOnce(thing: object): string {
  let text = texts.get(thing);
  if (text === undefined) texts.set(thing, (text = JSON.stringify(thing)));
  return text;
}

const texts = new WeakMap<object, string>();

/** The base chains of a hook by priority. */
function baseChains(nft: readonly NftTable[], at: At, packet: Packet): readonly Base[] {
  return nft
    .filter((table) => table.family === "netdev" || packet.carries === "ip")
    .flatMap((table) => table.chains.filter((c) => c.base?.hook === at.hook).map((chain) => ({ table, chain })))
    .filter(({ chain }) => at.hook !== "egress" || onDevice(chain, at.oif))
    .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0));
}

/** F, 4.34: the empty prefix is every device; a list of names follows the name, not the device (4.36). */
function onDevice(chain: NftChain, oif: string | null): boolean {
  const devices = chain.base?.devices;
  if (devices === undefined) return false;
  return devices.kind === "all" || (oif !== null && devices.names.includes(oif));
}

/** What devices, family and what the packet carries say of a match by themselves; null: the packet is to be asked. */
function settled({ packet, at }: Place, match: NftMatch): boolean | null {
  if (match.kind === "iifname") return nameIs(match.name, at.iif) !== (match.not === true);
  if (match.kind === "oifname") return nameIs(match.name, at.oif) !== (match.not === true);
  if (match.kind === "family") return isIp(packet, match.family);
  // looked for in the Ethernet header there: tried on 6.18 (e2e/net/findings/lock-2-gone)
  if (match.kind === "ip-option" && at.hook === "egress") return false;
  if (match.kind === "saddr" || match.kind === "daddr") return isIp(packet, familyOfText(match.prefix)) ? null : false;
  if (match.kind === "saddr-set" || match.kind === "daddr-set") return isIp(packet, match.family) ? null : false;
  return null;
}

function policyOf(run: Run, chain: NftChain): "accept" | "drop" {
  const policy = chain.base?.policy ?? "accept";
  run.seen({ hook: run.at.hook, table: run.table.name, chain: chain.name, rule: null, verdict: policy });
  return policy;
}

/** undefined: fell off the end, or returned; a number: led to this port. */
function runChain(run: Run, chain: NftChain): "accept" | "drop" | "reject" | number | undefined {
  const lines = run.lines.left.get(chain) ?? [];
  // who asks whether the mark was changed must see every line that sets it
  const verdict = run.remarks
    ? first(lines, (line) => runLine(run, chain, line))
    : run.packet.firstOf(lines, (line, packet) => runLine({ ...run, packet }, chain, line));
  return verdict === "return" ? undefined : verdict;
}

/** undefined: the next line decides. */
function runLine(run: Run, chain: NftChain, line: Line): "accept" | "drop" | "reject" | "return" | number | undefined {
  const { verdict } = line.rule;
  if (!allHold(run, line)) return undefined;
  if (verdict.kind === "return") return "return";
  if (verdict.kind === "jump") {
    const target = run.table.chains.find((c) => c.name === verdict.chain);
    return target === undefined ? undefined : runChain(run, target);
  }
  run.seen({ hook: run.at.hook, table: run.table.name, chain: chain.name, rule: line.rule, verdict: verdict.kind });
  if (verdict.kind === "redirect") return verdict.port;
  if (verdict.kind !== "set-mark") return verdict.kind;
  // nf_route_table_hook compares: what was so before is not routed again
  if (run.remarks && !run.packet.mark(verdict.mask, verdict.value)) run.marked.yes = true;
  run.packet.setMark(verdict.mask, verdict.value);
  return undefined;
}

/** All matches of a line are one question: which of them failed decides nothing. */
function allHold(run: Run, { matches, asks }: Line): boolean {
  if (matches.length < 2) return matches.every((match) => holds(run, match));
  return run.packet.summed(asks, (packet) => matches.every((match) => holds({ ...run, packet }, match)));
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
    case "hdrlength":
      // asked with 6 alone: what takes two words of options are source routes; the rest that does is not told apart
      return isIp(packet, 4) && (packet.flag("lsrr") || packet.flag("ssrr"));
    case "fib-daddr-type":
      return packet.carries === "ip" && addressType(packet, match.type) !== (match.not === true);
    case "skuid":
      // 2.28: packets of the kernel have no socket, those from elsewhere none either
      return hasOwner(packet) && packet.uid(match.from, match.to);
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

/** 2.28 */
const hasOwner = (packet: Packet): boolean => packet.origin.kind === "socket" && !packet.origin.kernel;
const isIp = (packet: Packet, family: 4 | 6): boolean => packet.carries === "ip" && packet.family === family;
const familyOfText = (prefix: Prefix): 4 | 6 => (prefix.includes(":") ? 6 : 4);

function side(packet: Packet, kind: "saddr" | "daddr" | "saddr-set" | "daddr-set", set: PrefixSet): boolean {
  return kind.startsWith("s") ? packet.source(set) : packet.destination(set);
}

/** The question a set stands for; two lists of elements are two questions, though their sets' names be the same. */
export function setOf(table: NftTable, name: string): PrefixSet {
  let known = setsOf.get(table);
  if (known === undefined) setsOf.set(table, (known = new Map<string, PrefixSet>()));
  const asked = known.get(name);
  if (asked) return asked;
  const set = table.sets.find((s) => s.name === name);
  // a rule that names a set that is not there does not load: the plan would be refused by the kernel
  if (set === undefined) throw new Error(`nft table ${table.name} has no set ${name}`);
  let made = listsOf.get(set.elements);
  if (made === undefined) {
    const few = set.elements.length <= smallList;
    const key = few ? `@ ${set.elements.join()}` : `@${(setNumber += 1)} ${table.family} ${table.name} ${name}`;
    made = { key, prefixes: set.elements };
    listsOf.set(set.elements, made);
  }
  known.set(name, made);
  return made;
}

const setsOf = new WeakMap<NftTable, Map<string, PrefixSet>>();
const listsOf = new WeakMap<readonly Prefix[], PrefixSet>();
let setNumber = 0;
/** Up to here elements are their own name: sets of two plans with the same are one question. */
const smallList = 256;

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
