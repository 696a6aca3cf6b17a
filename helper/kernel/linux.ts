// The port over the addon. Every change of the machine goes through here, in this order: journal, gate (gate-first),
// adapter, what the diff against a fresh reading says (and sets that no line asks yet), resolver, read everything back and compare, gate (gate-last). A
// failure throws and leaves the gate at least as closed as it was: a gate-first plan has closed it already, a gate-last
// one opens it as its very last step.
//
// Taking down is no road of its own: it is the empty plan, gate-last, and then the journal goes.
import { lchownSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

import { diff, type Operation } from "../plan/diff.ts";
import type { Facts } from "../plan/facts.ts";
import { linkName, marks } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import { printOperation } from "../plan/print.ts";
import { printRemoval, type Removal } from "../plan/removal.ts";
import { changeOf } from "./announced.ts";
import { openApps } from "./apps.ts";
import { carryOut } from "./carry-out.ts";
import { readEvidence } from "./evidence.ts";
import { carry, type Hits, hits, standing, sum } from "./hits.ts";
import { bootId, type Journal, openJournal, type ResolverEntry } from "./journal.ts";
import { type Applied, type Descriptor, type Kernel, KernelError } from "./kernel.ts";
import type { Failure, Native, NetlinkEvent, NftChange } from "./native.ts";
import { nftChanges, setsAhead } from "./nft-changes.ts";
import { nftVersion } from "./nft-tool.ts";
import { printChange } from "./print-changes.ts";
import { asksForAll, ownServers } from "./own-servers.ts";
import { asked, type Features, probe, readFacts, readTables, type Sockets } from "./read.ts";
import { noteRemoved } from "./removed.ts";
import { dropNames, entryFor, sameWay, setResolver, stands, undoResolver } from "./resolver.ts";
import { isToRestore, sysctlEntries, writeSysctl } from "./sysctl.ts";
import { large, openTables } from "./tables.ts";

export interface LinuxOptions {
  readonly native: Native;
  /** The journal lies here, and outlives a reboot. */
  readonly stateDir: string;
  readonly runDir: string;
  readonly resolvConf?: string;
  /** Root of cgroup version 2, below which sockets of programs are marked; absent: where it is mounted. */
  readonly cgroup?: string;
  /** false: the egress chain names its devices also where the kernel knows the empty prefix (see `features` below). */
  readonly devicePrefix?: boolean;
  /** false: tables are nobody's also where the kernel knows owners: as on kernels before 6.9. */
  readonly owner?: boolean;
}

export interface LinuxKernel extends Kernel {
  /** Ends as a crash would: what was changed stays, tables become orphans that go on blocking. */
  close(): void;
}

/** What remains when everything of ours is taken away. */
const nothing: Plan = {
  ...{ state: "off", order: "gate-last", link: null, dns: null, apps: null },
  ...{ nexthops: [], routes: [], rules: [], nft: [], sysctls: [] },
};
/** A deletion may take the wrong one of two rules alike (the kernel takes the first that fits): the next round sees it. */
const rounds = 3;

export async function openLinux(options: LinuxOptions): Promise<LinuxKernel> {
  const { native, stateDir, resolvConf = "/etc/resolv.conf" } = options;
  const sockets: Sockets = {
    route: asked("opening", "rtnetlink", () => native.netlinkOpen()),
    nft: asked("opening", "nfnetlink", () => native.nftOpen()),
  };
  const ports = [native.netlinkPort(sockets.route), native.netlinkPort(sockets.nft)];
  const nftPort = ports[1] ?? 0;
  const tables = openTables(native, sockets);
  // first of all: an orphan is without protection (5.11)
  adopt(native, sockets, nftPort);
  const journal = openJournal(join(stateDir, "journal.json"));
  // An nft older than the attribute (tried: 1.0.6) does not see the chain but sees its rules, takes that for a race and
  // lists again for ever: every listing of all tables spins, one of a single other table works. The lock is worth more.
  const probed = probe(native, sockets);
  const apps = openApps({
    ...{ native, runDir: options.runDir, ...(options.cgroup !== undefined && { cgroup: options.cgroup }) },
    replaced: () => {
      void inTurn(async () => {
        if (plan?.apps) apps.set(plan.apps, []);
      });
    },
  });
  // told when it is known: nobody waits for it, least of all a gate that shall close at boot
  let tool: Pick<Features, "nftTool"> = {};
  void nftVersion().then((nftTool) => {
    if (nftTool !== undefined) tool = { nftTool };
  });
  const features = {
    ...{ ...probed, appMarks: apps.how },
    devicePrefix: probed.devicePrefix && options.devicePrefix !== false,
    owner: probed.owner && options.owner !== false,
  };
  const read = (more: readonly string[] = [], ours = true): Facts => {
    const facts = readFacts(native, sockets, { ...features, ...tool }, resolvConf, { more, ours });
    const forAll = asksForAll(facts.resolver.resolvedRunning);
    const own = ownServers(facts.resolver, journal.now?.resolver ?? null, facts.links);
    const resolver = { ...facts.resolver, ownServers: own, ...(forAll !== undefined && { asksForAll: forAll }) };
    return { ...facts, resolver, heldMarks: apps.held() };
  };
  // hits of chains that were refilled since: a refill starts their counters again
  const carried: Hits = { refused: 0, direct: 0 };
  let plan: Plan | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work);
    turn = next.catch(() => undefined);
    return next;
  };

  const changeGate = (wanted: Plan, commands: string[]): void => {
    for (let round = 0; ; round++) {
      const have = tables.read();
      const changes = nftChanges(wanted.nft, have, nftPort);
      if (changes.length === 0) return;
      const [refused] = asked("changing", "the gate", () => tables.change(changes));
      // somebody wrote in between
      if (refused?.code === "ERESTART" && round < rounds) continue;
      if (refused !== undefined) {
        const on = changes[refused.index];
        throw new KernelError("changing the gate", on === undefined ? "" : (printChange(on)[0] ?? ""), refused.code);
      }
      carry(carried, have, changes);
      for (const change of changes) for (const line of printChange(change)) commands.push(line);
      return;
    }
  };

  const compareGate = (wanted: Plan): void => {
    const [left] = nftChanges(wanted.nft, tables.read(), nftPort);
    if (left !== undefined) throw notAsPlanned(printChange(left)[0] ?? "");
  };

  /** Routes, and beside them large sets that a gate will ask that opens last: each takes as long as the other. */
  const layRoutes = (wanted: Plan, operations: readonly Operation[], commands: string[]): void => {
    const opens = wanted.order === "gate-last";
    const ahead = opens ? setsAhead(nftChanges(wanted.nft, tables.read(), nftPort), large) : [];
    if (ahead.length === 0) {
      carryOut(operations, (netlink) => native.netlinkApply(sockets.route, netlink));
      return;
    }
    carryOut(operations, (netlink) => {
      let routing: readonly Failure[] = [];
      // what is refused here is done with the rest of the gate, or refused there once more and told
      const refused = tables.change(ahead, (changes, generation) => {
        const both = native.layBoth(sockets.route, netlink, sockets.nft, changes, generation);
        routing = both.routing;
        return both.gate;
      });
      if (refused.length === 0) for (const change of ahead) commands.push(...printChange(change));
      return routing;
    });
  };

  /** Until a fresh reading leaves nothing to do: the last one of them is the read-back of all of it. */
  const changeRouting = (wanted: Plan, first: Facts, commands: string[]): { madeLink: boolean; readMs: number } => {
    const madeLink = makeLink(native, wanted, first, commands);
    let facts = first;
    let readMs = 0;
    for (let round = 0; ; round++) {
      const operations = diff(wanted, facts).filter((op) => op.kind !== "link.del" || isOurLink(facts));
      const [left] = operations;
      if (left === undefined) return { madeLink, readMs };
      if (round === rounds) throw notAsPlanned(printOperation(left));
      if (round === 0) layRoutes(wanted, operations, commands);
      else carryOut(operations, (netlink) => native.netlinkApply(sockets.route, netlink));
      for (const operation of operations) commands.push(printOperation(operation));
      const began = performance.now();
      facts = read(wanted.sysctls.map((s) => s.key));
      readMs = performance.now() - began;
    }
  };

  const changeResolver = async (wanted: Plan, known: ResolverEntry | null, fresh: boolean, commands: string[]) => {
    let before = known;
    if (before !== null && (wanted.dns === null || !sameWay(before, entryFor(wanted.dns, before)))) {
      commands.push(...(await undoResolver(before)));
      note({ resolver: null });
      before = null;
    }
    if (wanted.dns === null) return;
    const entry = entryFor(wanted.dns, before);
    note({ resolver: entry });
    const changed = JSON.stringify(entry) !== JSON.stringify(before);
    commands.push(...(await setResolver(entry, changed || fresh)));
    if (!stands(entry)) throw notAsPlanned(`resolver by ${entry.by}`);
  };

  /** Into the journal, on disk, before it is done. */
  const note = (part: Partial<Pick<Journal, "sysctls" | "resolver">>): void => {
    const now = journal.now ?? { version: 1, boot: bootId(), sysctls: [], resolver: null };
    journal.write({ ...now, boot: bootId(), ...part });
  };

  /** One write for all of it where nothing must be undone first. */
  const noteAll = (wanted: Plan, facts: Facts): void => {
    if (wanted === nothing && journal.now === null) return;
    const { boot, sysctls = [], resolver = null } = journal.now ?? {};
    const next = wanted.dns === null ? null : entryFor(wanted.dns, resolver);
    const direct = next !== null && (resolver === null || sameWay(resolver, next));
    note({
      resolver: direct ? next : resolver,
      sysctls: sysctlEntries(wanted.sysctls, facts.sysctls, boot === bootId() ? sysctls : []),
    });
  };

  const apply = async (wanted: Plan): Promise<Applied> => {
    const began = performance.now();
    const commands: string[] = [];
    const names = journal.now?.resolver ?? null;
    const facts = read(wanted.sysctls.map((s) => s.key));
    noteAll(wanted, facts);
    plan = wanted;
    let gateMs = timed(() => {
      if (wanted.order === "gate-first") changeGate(wanted, commands);
    });
    const changing = performance.now();
    // behind the closed gate: a mark that the old lines do not know counts as none
    if (wanted.apps !== null) apps.set(wanted.apps, commands);
    const { madeLink, readMs } = changeRouting(wanted, facts, commands);
    restoreSysctls(wanted, commands);
    await changeResolver(wanted, names, madeLink, commands);
    const changeMs = performance.now() - changing - readMs;
    const readBackMs =
      readMs +
      timed(() => {
        if (wanted.order === "gate-first") compareGate(wanted);
      });
    gateMs += timed(() => {
      if (wanted.order === "gate-first") return;
      changeGate(wanted, commands);
      compareGate(wanted);
    });
    if (wanted.apps === null) apps.clear(commands);
    return { commands, tookMs: performance.now() - began, phases: { changeMs, readBackMs, gateMs } };
  };

  /** Sysctls that were ours and are no part of this plan. */
  const restoreSysctls = (wanted: Plan, commands: string[]): void => {
    const entries = journal.now?.sysctls ?? [];
    const kept = entries.filter((e) => wanted.sysctls.some((s) => s.key === e.key));
    for (const { key, before } of entries.filter((e) => !kept.includes(e) && isToRestore(e))) {
      writeSysctl(key, before);
      commands.push(`sysctl -w ${key}=${before}`);
    }
    if (kept.length < entries.length) note({ sysctls: kept });
  };

  const handOver = (fd: number): Descriptor => {
    let open = true;
    return {
      fd,
      close() {
        if (open) native.closeFd(fd);
        open = false;
      },
    };
  };

  return {
    read: async () => read(),
    ground: async () => read([], false),
    lead: (objects) =>
      inTurn(async () => {
        if (objects.length === 0) return [];
        const operations = objects.map((nexthop): Operation => ({ kind: "nexthop.replace", nexthop }));
        carryOut(operations, (netlink) => native.netlinkApply(sockets.route, netlink));
        return operations.map(printOperation);
      }),
    apply: (wanted) => inTurn(() => apply(wanted)),
    undo: () =>
      inTurn(async () => {
        const { commands } = await apply(nothing);
        journal.remove();
        plan = null;
        return commands;
      }),
    watch(changed) {
      const watcher = asked("watching", "the kernel", () =>
        native.watch((event) => {
          const change = changeOf(event, plan, ports);
          if (change !== null && !isPast(native, sockets, event, plan)) changed({ at: Date.now(), ...change });
        }),
      );
      return () => {
        watcher.close();
      };
    },
    openTun: async (name, vnetHeader, packetInfo = false) =>
      handOver(asked("opening", name, () => native.tunOpen({ name, vnetHeader, packetInfo, persist: true }))),
    openUapi: async (path, uid) => {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      const socket = handOver(asked("listening on", path, () => native.unixListen(path, 0o600)));
      lchownSync(path, uid, 0);
      return socket;
    },
    openUdp: async (family, port) => {
      const socket = asked("opening", `UDP port ${port}`, () => native.udpOpen(family, port, marks.engine));
      return { ...handOver(socket.fd), port: socket.port };
    },
    ask: async (question) =>
      asked("asking", `the way to ${question.to}`, () => native.routeGet(sockets.route, question)),
    gate: async () => standing(tables.read()),
    evidence: async () => readEvidence(resolvConf),
    remove: (things) =>
      inTurn(async () => {
        noteRemoved(join(stateDir, "removed.jsonl"), things);
        for (const thing of things) {
          if (thing.kind === "table.del") removeTable(native, sockets, thing);
          else if (thing.kind === "names.drop" || thing.kind === "names.record") await dropNames(thing);
          else carryOut([thing], (netlink) => native.netlinkApply(sockets.route, netlink));
        }
        return things.map(printRemoval);
      }),
    apps: async () => apps.standing(),
    reopen: (which) => inTurn(async () => apps.reopen(which)),
    counters: async () => sum(carried, hits(tables.read())),
    close() {
      apps.close();
      native.closeFd(sockets.route);
      native.closeFd(sockets.nft);
    },
  };
}

/** Tables of an earlier life that nobody owns (5.8: NEWTABLE with exactly the flags they have). */
function adopt(native: Native, sockets: Sockets, port: number): void {
  for (const { family, name, listed } of readTables(native, sockets)) {
    const persists = (listed.flags & 4) !== 0;
    if (!persists || listed.owner === port) continue;
    const change: NftChange = { family, table: name, kind: "table.set", owned: true };
    const [refused] = asked("adopting", `nft table ${family} ${name}`, () => native.nftApply(sockets.nft, [change]));
    // EPERM: another helper lives and owns it
    if (refused !== undefined) throw new KernelError("adopting", `nft table ${family} ${name}`, refused.code);
  }
}

function makeLink(native: Native, plan: Plan, facts: Facts, commands: string[]): boolean {
  if (plan.link === null) return false;
  const { name } = plan.link;
  const there = facts.links.find((l) => l.name === name);
  if (there !== undefined) {
    if (there.kind !== "tun") throw new KernelError("creating", name, "EEXIST");
    return false;
  }
  const fd = asked("creating", name, () => native.tunOpen({ name, vnetHeader: false, persist: true }));
  native.closeFd(fd);
  commands.push(`ip tuntap add mode tun name ${name}`);
  return true;
}

/** The adapter is announced down before it is announced up, unsigned both times: what counts is how it is by now. */
function isPast(native: Native, sockets: Sockets, event: NetlinkEvent, plan: Plan | null): boolean {
  const want = plan?.link;
  if (event.kind !== "link" || event.gone || event.link.name !== linkName || !want) return false;
  const { links } = asked("reading", "links", () => native.netlinkRead(sockets.route));
  return links.some((l) => l.name === linkName && l.up && l.mtu === want.mtu);
}

/** A link of our name that is no TUN adapter is somebody else's. */
function isOurLink(facts: Facts): boolean {
  return facts.links.find((l) => l.name === linkName)?.kind === "tun";
}

/** A table of somebody who is gone; one that is owned is refused by the kernel. */
function removeTable(
  native: Native,
  sockets: Sockets,
  { family, name }: Extract<Removal, { kind: "table.del" }>,
): void {
  const what = `nft table ${family} ${name}`;
  const [refused] = asked("deleting", what, () =>
    native.nftApply(sockets.nft, [{ family, table: name, kind: "table.del" }]),
  );
  if (refused !== undefined && refused.code !== "ENOENT") throw new KernelError("deleting", what, refused.code);
}

function timed(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function notAsPlanned(missing: string): KernelError {
  return new KernelError("reading back: the machine lacks", missing, "NOT-AS-PLANNED");
}
