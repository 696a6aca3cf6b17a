// The port over a value: the machine is Facts, the nft tables and a resolver file in memory. It passes the same cases as
// linux.ts, so whoever tests against it tests against what the kernel does as far as those cases tell.
import type { App } from "../contract/policy.ts";
import { diff, type Operation } from "../plan/diff.ts";
import type { Facts, RouteFact } from "../plan/facts.ts";
import { linkName, ranges } from "../plan/numbers.ts";
import { makersOf } from "../plan/makers.ts";
import type { NftTable } from "../plan/nft.ts";
import type { Plan, PlanApps } from "../plan/plan.ts";
import { printApps } from "../plan/print-apps.ts";
import { printOperation } from "../plan/print.ts";
import { printRemoval } from "../plan/removal.ts";
import { simulate } from "../plan/simulate.ts";
import type { Applied, Change, Descriptor, Kernel, RouteAnswer, RouteQuestion } from "./kernel.ts";
import { KernelError } from "./kernel.ts";
import { type HaveTable, nftChanges } from "./nft-changes.ts";
import { printChange } from "./print-changes.ts";

/** What outlives a helper: the machine and the disk. */
export interface FakeMachine {
  facts: Facts;
  tables: readonly NftTable[];
  /** Port of the life that owns the tables; null: orphans. */
  owner: number | null;
  names: string;
  /** What outlives a life of it, as pinned programs do. */
  apps: PlanApps | null;
  journal: FakeJournal | null;
  listeners: readonly ((change: Change) => void)[];
  /** There is no routing here: whoever asks says what it answers. */
  answer: (question: RouteQuestion) => RouteAnswer;
}

interface FakeJournal {
  readonly sysctls: Readonly<Record<string, { readonly before: string; readonly ours: readonly string[] }>>;
  readonly names: { readonly before: string; readonly ours: readonly string[] } | null;
}

const nothing: Plan = {
  ...{ state: "off", order: "gate-last", link: null, dns: null, apps: null },
  ...{ nexthops: [], routes: [], rules: [], nft: [], sysctls: [] },
};
let lives = 1000;

export function fakeMachine(facts: Facts, names: string): FakeMachine {
  return { facts, names, apps: null, tables: [], owner: null, journal: null, listeners: [], answer: noRoute };
}

const noRoute = (): RouteAnswer => ({ kind: "refused", code: "ENETUNREACH" });

export async function openFake(machine: FakeMachine): Promise<Kernel & { close(): void }> {
  const port = ++lives;
  if (machine.tables.length > 0 && machine.owner !== null) throw new KernelError("adopting", "nft table", "EPERM");
  if (machine.tables.length > 0) machine.owner = port;

  const changeGate = (plan: Plan, commands: string[]): void => {
    const have = machine.tables.map((t): HaveTable => haveOf(t, machine.owner));
    const changes = nftChanges(plan.nft, have, port);
    commands.push(...changes.flatMap(printChange));
    machine.tables = plan.nft;
    machine.owner = plan.nft.length === 0 ? null : port;
  };

  const changeApps = ({ apps }: Plan, commands: string[]): void => {
    if (apps !== null && machine.facts.features.appMarks !== "bpf")
      throw new KernelError("marking", "sockets of programs", "EOPNOTSUPP");
    if (JSON.stringify(machine.apps) !== JSON.stringify(apps)) commands.push(...printApps(apps));
    machine.apps = apps;
    const held = apps === null ? [] : makersOf(apps);
    const before = machine.facts.heldMarks ?? [];
    const kept = before.filter(({ mark }) => !held.some((one) => one.mark === mark));
    machine.facts = { ...machine.facts, heldMarks: [...kept, ...held] };
  };

  const apply = async (plan: Plan): Promise<Applied> => {
    const began = performance.now();
    const commands: string[] = [];
    machine.journal = noted(machine, plan);
    if (plan.order === "gate-first") changeGate(plan, commands);
    if (plan.apps !== null) changeApps(plan, commands);
    const { facts } = machine;
    if (plan.link !== null && !facts.links.some((l) => l.name === plan.link?.name))
      commands.push(`ip tuntap add mode tun name ${plan.link.name}`);
    const operations = diff(plan, facts);
    for (const operation of operations) refuseUnknownLink(operation, machine.facts);
    commands.push(...operations.map(printOperation));
    machine.facts = simulate(facts, operations);
    restoreSysctls(machine, plan, commands);
    changeNames(machine, plan, commands);
    if (plan.order === "gate-last") changeGate(plan, commands);
    if (plan.apps === null) changeApps(plan, commands);
    return {
      ...{ commands, tookMs: performance.now() - began },
      phases: { changeMs: 0, readBackMs: 0, gateMs: 0 },
    };
  };

  return {
    read: async () => machine.facts,
    ground: async () => ({ ...machine.facts, routes: machine.facts.routes.filter((r) => !isInOwnTable(r)) }),
    lead: async (objects) => {
      const operations = objects.map((nexthop): Operation => ({ kind: "nexthop.replace", nexthop }));
      machine.facts = simulate(machine.facts, operations);
      return operations.map(printOperation);
    },
    apply,
    undo: async () => {
      const { commands } = await apply(nothing);
      machine.journal = null;
      return commands;
    },
    watch(changed) {
      machine.listeners = [...machine.listeners, changed];
      return () => {
        machine.listeners = machine.listeners.filter((l) => l !== changed);
      };
    },
    openTun: async () => closable(),
    openUapi: async () => closable(),
    openUdp: async (_family, wanted) => ({ ...closable(), port: wanted === 0 ? 40_000 : wanted }),
    ask: async (question) => machine.answer(question),
    gate: async () => {
      const rules = machine.tables.flatMap((t) => t.chains.flatMap((c) => c.rules.filter((r) => r.counter)));
      return { tables: machine.tables, packets: new Map(rules.map((rule) => [rule, 0])), foreign: [] };
    },
    evidence: async () => ({ programs: [], silent: [], records: [], remarks: "" }),
    remove: async (things) => {
      const operations = things.flatMap((thing): Operation[] =>
        thing.kind === "table.del" || thing.kind === "names.drop" || thing.kind === "names.record" ? [] : [thing],
      );
      machine.facts = simulate(machine.facts, operations);
      return things.map(printRemoval);
    },
    apps: async () => {
      const { apps } = machine;
      const all = [...(apps?.programs ?? []), ...(apps?.places ?? [])];
      return {
        ...{ how: machine.facts.features.appMarks, scripts: false, lost: 0 },
        apps: all.map(({ app }) => ({ app, by: "path", mark: markOf(apps, app), processes: 0, older: 0 })),
      };
    },
    reopen: async () => 0,
    counters: async () => ({ refused: 0, direct: 0 }),
    close() {
      machine.owner = null;
    },
  };
}

/** What another program does: the operations happen, and the watch is told. */
export function byAnother(machine: FakeMachine, kind: Change["kind"], what: string, facts: Facts): void {
  machine.facts = facts;
  for (const listener of machine.listeners) listener({ at: Date.now(), kind, what, author: "ip", ours: true });
}

function isInOwnTable({ table }: RouteFact): boolean {
  return ranges.firstTable <= table && table <= ranges.lastTable;
}

function noted(machine: FakeMachine, plan: Plan): FakeJournal | null {
  const { journal, facts } = machine;
  if (plan === nothing && journal === null) return null;
  const sysctls = { ...journal?.sysctls };
  for (const { key, value } of plan.sysctls) {
    if (key.includes(`.${linkName}.`)) continue;
    const now = facts.sysctls[key];
    const known = sysctls[key];
    if (known !== undefined && now !== undefined && known.ours.includes(now))
      sysctls[key] = { ...known, ours: [...known.ours, value] };
    else if (now !== undefined && now !== value) sysctls[key] = { before: now, ours: [value] };
  }
  return { sysctls, names: journal?.names ?? null };
}

function restoreSysctls(machine: FakeMachine, plan: Plan, commands: string[]): void {
  for (const [key, { before, ours }] of Object.entries(machine.journal?.sysctls ?? {})) {
    const now = machine.facts.sysctls[key];
    if (plan.sysctls.some((s) => s.key === key) || now === undefined || !ours.includes(now) || now === before) continue;
    machine.facts = simulate(machine.facts, [{ kind: "sysctl.set", key, value: before }]);
    commands.push(`sysctl -w ${key}=${before}`);
  }
}

function changeNames(machine: FakeMachine, plan: Plan, commands: string[]): void {
  const known = machine.journal?.names ?? null;
  const stillOurs = known?.ours.includes(machine.names) ?? false;
  if (plan.dns === null) {
    if (known !== null && stillOurs) {
      machine.names = known.before;
      commands.push("cp resolv.conf.before-culvert /etc/resolv.conf");
    }
    if (machine.journal !== null) machine.journal = { ...machine.journal, names: null };
    return;
  }
  const text = plan.dns.servers.map((s) => `nameserver ${s}\n`).join("");
  const names = stillOurs && known !== null ? known : { before: machine.names, ours: [] };
  machine.journal = { sysctls: machine.journal?.sysctls ?? {}, names: { ...names, ours: [...names.ours, text] } };
  if (machine.names === text) return;
  machine.names = text;
  commands.push(`printf '${text.replaceAll("\n", "\\n")}' > /etc/resolv.conf`);
}

function markOf(apps: PlanApps | null, app: App): number {
  const program = apps?.programs.find((one) => one.app === app)?.class ?? 0;
  const place = apps?.places.find((one) => one.app === app)?.class ?? 0;
  return apps?.marks[program]?.[place] ?? 0;
}

function refuseUnknownLink(operation: Operation, facts: Facts): void {
  if (operation.kind !== "route.replace" || operation.route.to.kind !== "dev") return;
  const { dev } = operation.route.to;
  if (dev === linkName || facts.links.some((l) => l.name === dev)) return;
  throw new KernelError("doing", printOperation(operation), "ENODEV");
}

function haveOf(table: NftTable, owner: number | null): HaveTable {
  const listed = { family: table.family, name: table.name, flags: table.owned ? 6 : 0, owner };
  const chains = table.chains.map((chain) => ({
    ...chain,
    rules: chain.rules.map((rule) => ({ ...rule, packets: 0, bytes: 0 })),
  }));
  return { ...table, chains, listed };
}

function closable(): Descriptor {
  return { fd: -1, close: () => undefined };
}
