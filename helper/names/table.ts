// What was answered, and for how long it counts. A name's address lives as long as its answer says, at least `floorMs`, for
// programs keep addresses longer than they should; then a grace, for connections that go on; then as long as a socket of
// this machine talks to it. Bounded in names and in addresses of each: what ends first goes first. Time comes in from
// outside.
import type { Address } from "../contract/prefix.ts";
import type { NameFact } from "../plan/facts.ts";

/** ttl: seconds. */
export interface Found {
  readonly address: Address;
  readonly ttl: number;
}

export interface NameTable {
  /** Whether something is there now that was not before. */
  learn(name: string, found: readonly Found[], now: number): boolean;
  /** Takes away what has ended, but for addresses in use. Whether anything went. */
  expire(now: number, inUse: ReadonlySet<string>): boolean;
  /** Those that `wanted` says yes to. The same array as long as nothing of it changed. */
  facts(wanted: (name: string) => boolean): readonly NameFact[];
  /** Other names that were answered with this address. */
  sharing(address: Address, name: string): readonly string[];
  forget(name: string): void;
  /** When the next of them ends; Infinity: nothing is there. */
  nextEnd(): number;
  /** For the disk: name, address, end. */
  readonly entries: () => readonly (readonly [string, Address, number])[];
  restore(entries: readonly (readonly [string, Address, number])[], now: number): void;
}

/** What browsers keep at least: a minute (Firefox network.dnsCacheExpiration, Chromium's host cache). */
export const floorMs = 60_000;
/** Longer than a day nothing is believed. */
const ceilingMs = 86_400_000;
/** Idle connections that a program opens again without asking. */
export const graceMs = 300_000;
export const mostNames = 4096;
/** Pools of big services answer with 8 of some hundred addresses at a time. */
export const mostAddresses = 128;

export function nameTable(): NameTable {
  const names = new Map<string, Map<Address, number>>();
  let version = 0;
  let told: { readonly version: number; readonly text: string; readonly facts: readonly NameFact[] } | undefined;

  const evict = (): void => {
    while (names.size > mostNames) {
      let first: string | undefined;
      let end = Infinity;
      for (const [name, addresses] of names) {
        const last = Math.max(0, ...addresses.values());
        if (last >= end) continue;
        end = last;
        first = name;
      }
      if (first === undefined) return;
      names.delete(first);
      version += 1;
    }
  };

  return {
    learn(name, found, now) {
      if (found.length === 0) return false;
      const held = names.get(name) ?? new Map<Address, number>();
      names.set(name, held);
      let fresh = false;
      for (const { address, ttl } of found.slice(0, mostAddresses)) {
        const end = now + Math.min(ceilingMs, Math.max(floorMs, ttl * 1000)) + graceMs;
        if (!held.has(address)) fresh = true;
        held.set(address, Math.max(end, held.get(address) ?? 0));
      }
      const surplus = [...held].sort((a, b) => a[1] - b[1]).slice(0, Math.max(0, held.size - mostAddresses));
      for (const [address] of surplus) held.delete(address);
      if (fresh) version += 1;
      evict();
      return fresh;
    },
    expire(now, inUse) {
      let went = false;
      for (const [name, held] of names) {
        for (const [address, end] of held)
          if (end <= now && !inUse.has(address)) {
            held.delete(address);
            went = true;
          }
        if (held.size === 0) names.delete(name);
      }
      if (went) version += 1;
      return went;
    },
    facts(wanted) {
      const facts = [...names].flatMap(([name, held]) => (wanted(name) ? [{ name, addresses: [...held.keys()] }] : []));
      if (told?.version === version && told.facts.length === facts.length) {
        if (facts.every((f, i) => f.name === told?.facts[i]?.name)) return told.facts;
      }
      const text = JSON.stringify(facts);
      told = { version, text, facts: told?.text === text ? told.facts : facts };
      return told.facts;
    },
    sharing(address, name) {
      return [...names].flatMap(([other, held]) => (other !== name && held.has(address) ? [other] : []));
    },
    forget(name) {
      if (names.delete(name)) version += 1;
    },
    nextEnd: () => Math.min(Infinity, ...[...names.values()].flatMap((held) => [...held.values()])),
    entries: () =>
      [...names].flatMap(([name, held]) => [...held].map(([address, end]) => [name, address, end] as const)),
    restore(entries, now) {
      for (const [name, address, end] of entries) {
        if (end <= now) continue;
        const held = names.get(name) ?? new Map<Address, number>();
        names.set(name, held);
        if (held.size < mostAddresses) held.set(address, Math.min(end, now + ceilingMs + graceMs));
      }
      version += 1;
      evict();
    },
  };
}
