// Small verbs for the gate: each gives one match or one rule of plan/nft.ts.
import type { Family, Prefix } from "../contract/prefix.ts";
import { parsePrefix } from "../contract/prefix.ts";
import type { NftChain, NftMatch, NftRule, NftVerdict } from "../plan/nft.ts";
import { appMask, markMask, passedBit } from "../plan/numbers.ts";

export const accept = (note: string, ...matches: NftMatch[]): NftRule => rule(note, { kind: "accept" }, matches);
/** Counted: what a person is shown as let out beside the tunnel by policy. */
export const acceptCounted = (note: string, ...matches: NftMatch[]): NftRule => {
  return { ...accept(note, ...matches), counter: true };
};
/** Every refusal is counted. */
export const drop = (note: string, ...matches: NftMatch[]): NftRule => {
  return { ...rule(note, { kind: "drop" }, matches), counter: true };
};
export const reject = (note: string, ...matches: NftMatch[]): NftRule => {
  return { ...rule(note, { kind: "reject" }, matches), counter: true };
};
export const jump = (note: string, chain: string, ...matches: NftMatch[]): NftRule =>
  rule(note, { kind: "jump", chain }, matches);
export const setMark = (note: string, value: number, ...matches: NftMatch[]): NftRule =>
  rule(note, { kind: "set-mark", mask: markMask, value }, matches);

export const goBack = (note: string, ...matches: NftMatch[]): NftRule => rule(note, { kind: "return" }, matches);

export const iif = (name: string): NftMatch => ({ kind: "iifname", name });
export const oif = (name: string): NftMatch => ({ kind: "oifname", name });
export const mark = (value: number): NftMatch => ({ kind: "mark", mask: markMask, value });
/** Whatever lock 2 has added to it. */
export const appMark = (value: number): NftMatch => ({ kind: "mark", mask: appMask, value });
/** Lock 2 has let it out beside the tunnel. */
export const isPassed: NftMatch = { kind: "mark", mask: passedBit, value: passedBit };
export const setPassed = (note: string): NftRule =>
  rule(note, { kind: "set-mark", mask: passedBit, value: passedBit }, []);
export const saddr = (prefix: Prefix): NftMatch => ({ kind: "saddr", prefix });
export const daddr = (prefix: Prefix): NftMatch => ({ kind: "daddr", prefix });
export const notDaddr = (prefix: Prefix): NftMatch => ({ kind: "daddr", not: true, prefix });
export const notSaddr = (prefix: Prefix): NftMatch => ({ kind: "saddr", not: true, prefix });
export const saddrSet = (family: Family, set: string): NftMatch => ({ kind: "saddr-set", family, set });
export const daddrSet = (family: Family, set: string): NftMatch => ({ kind: "daddr-set", family, set });
export const arpDaddr = (prefix: Prefix): NftMatch => ({ kind: "arp-daddr", prefix });
export const arpSaddr = (prefix: Prefix): NftMatch => ({ kind: "arp-saddr", prefix });
export const ethertype = (type: number): NftMatch => ({ kind: "ethertype", type });
export const ofFamily = (family: Family): NftMatch => ({ kind: "family", family });
export const protocol = (number: number): NftMatch => ({ kind: "protocol", protocol: number });
export const icmp = (...types: number[]): NftMatch => ({ kind: "icmp-type", family: 4, types });
export const icmp6 = (...types: number[]): NftMatch => ({ kind: "icmp-type", family: 6, types });
export const hops = (family: Family, value: number): NftMatch => ({ kind: "hops", family, value });
export const inReply: NftMatch = { kind: "ct-direction", direction: "reply" };
export const established: NftMatch = { kind: "ct-state", states: ["established", "related"] };
export const related: NftMatch = { kind: "ct-state", states: ["related"] };

/** IANA protocol numbers. */
export const tcp = 6;
export const udp = 17;

export function ports(number: number, ends: { readonly from?: number; readonly to?: number }): readonly NftMatch[] {
  const out: NftMatch[] = [protocol(number)];
  if (ends.from !== undefined) out.push({ kind: "sport", from: ends.from, to: ends.from });
  if (ends.to !== undefined) out.push({ kind: "dport", from: ends.to, to: ends.to });
  return out;
}

/** A chain that is jumped to. */
export function chain(name: string, rules: readonly NftRule[]): NftChain {
  return { name, base: null, rules };
}

export function known(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`not a prefix: ${text}`);
  return prefix;
}

/** A rule's id is the user's: what could end a comment or is no ASCII stands as a point. */
function plain(note: string): string {
  return note.replaceAll(/[^\x20-\x7e]|["\\]/g, ".").slice(0, 120);
}

function rule(note: string, verdict: NftVerdict, matches: readonly NftMatch[]): NftRule {
  return { note: plain(note), matches, counter: false, verdict };
}
