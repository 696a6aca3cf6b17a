// What the port promises, tried on both implementations: fake.ts over a value, linux.ts over a real kernel in a network
// namespace. A case sees the machine only through the port and through what other programs could do and see.
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import { diff } from "../plan/diff.ts";
import type { Facts } from "../plan/facts.ts";
import type { NftRule, NftTable } from "../plan/nft.ts";
import { lastMetric, linkName, marks, markMask, tableName } from "../plan/numbers.ts";
import type { Plan, PlanRoute, PlanState } from "../plan/plan.ts";
import { type Change, type Kernel, KernelError } from "./kernel.ts";

/** A machine with one uplink `up0`, 192.0.2.2/24, its default route by 192.0.2.1, and a resolver file. */
export interface CaseMachine {
  /** Path of a program that rules may name. */
  readonly program: string;
  /** A new life of the helper on this machine. */
  open(): Promise<Kernel & { close(): void }>;
  /** What must be as it was after taking down: links, routes, rules, nft, sysctls, resolver file; foreign changes too. */
  snapshot(): string;
  /** Other programs. */
  addRule(priority: number): void;
  deleteRoute(table: number): void;
  setSysctl(key: string, value: string): void;
  setNames(text: string): void;
  names(): string;
  /** What a socket that this program opens at once is marked with. */
  markOf(path: string): number;
  /** Waits until all that other programs did has been announced. */
  settled(seen: () => boolean): Promise<void>;
  remove(): void;
}

export const resolvConfOfCases = "nameserver 192.0.2.1\n";

export function kernelCases(name: string, make: () => CaseMachine): void {
  describe(name, () => {
    let machine: CaseMachine;
    let kernel: Kernel & { close(): void };
    beforeEach(async () => {
      machine = make();
      kernel = await machine.open();
    });
    afterEach(async () => {
      await kernel.undo();
      kernel.close();
      machine.remove();
    });

    test("after a plan nothing is left to do, and a second time gives no command", async () => {
      for (const state of ["connecting", "connected", "locked", "connected"] as const) {
        const plan = await planOf(kernel, state);
        const { commands } = await kernel.apply(plan);
        expect(commands.length).toBeGreaterThan(0);
        expect(diff(plan, await kernel.read())).toEqual([]);
        expect((await kernel.apply(plan)).commands).toEqual([]);
      }
    });

    test("the ground is the machine without our tables, and what leads a set moves alone", async () => {
      const before = await kernel.read();
      const plan = await planOf(kernel, "connected");
      const by = (via: string) => ({ kind: "dev", dev: "up0", via: via as Address, onlink: true }) as const;
      const led: Plan = { ...plan, nexthops: [...plan.nexthops, { id: 7690, family: 4, to: by("192.0.2.1") }] };
      await kernel.apply(led);
      const { routes, rules } = await kernel.ground();
      const ours = ({ table }: { table: number }): boolean => table >= 7600 && table < 7700;
      expect(routes.filter(ours)).toEqual([]);
      const mainOf = (facts: Facts) => facts.routes.filter((r) => r.table === 254 && r.prefix.startsWith("0."));
      expect(routes.filter((r) => r.table === 254 && r.prefix.startsWith("0."))).toEqual(mainOf(before));
      expect(rules).toEqual((await kernel.read()).rules);
      expect(await kernel.lead([{ id: 7690, family: 4, to: by("192.0.2.7") }])).toHaveLength(1);
      const moved = await kernel.read();
      expect(moved.nexthops.find((n) => n.id === 7690)).toMatchObject({ dev: "up0", via: "192.0.2.7" });
      expect(diff(led, moved).map((o) => o.kind)).toEqual(["nexthop.replace"]);
    });

    test("a plan that closes does the gate first, one that opens does it last", async () => {
      const closing = await kernel.apply(await planOf(kernel, "connecting"));
      expect(closing.commands[0]).toMatch(/^nft add table inet/);
      const opening = await kernel.apply(await planOf(kernel, "connected"));
      const last = opening.commands.map((c) => !c.startsWith("nft ")).lastIndexOf(true);
      const first = opening.commands.findIndex((c) => c.startsWith("nft "));
      expect(first).toBeGreaterThan(last);
    });

    test("taking down leaves the machine as it was", async () => {
      const before = machine.snapshot();
      await kernel.apply(await planOf(kernel, "connecting"));
      await kernel.apply(await planOf(kernel, "connected"));
      expect(machine.snapshot()).not.toBe(before);
      expect(await kernel.undo()).not.toEqual([]);
      expect(machine.snapshot()).toBe(before);
      expect(await kernel.undo()).toEqual([]);
    });

    test("a later life undoes what a crashed one left, from any plan", async () => {
      const before = machine.snapshot();
      for (const state of ["connecting", "connected", "locked"] as const) {
        await kernel.apply(await planOf(kernel, state));
        kernel.close();
        kernel = await machine.open();
        await kernel.undo();
        expect(machine.snapshot()).toBe(before);
      }
    });

    test("a later life goes on where a crashed one stopped, without a command", async () => {
      const plan = await planOf(kernel, "connected");
      await kernel.apply(plan);
      kernel.close();
      kernel = await machine.open();
      expect((await kernel.apply(plan)).commands).toEqual([]);
    });

    test("two helpers cannot own one gate", async () => {
      await kernel.apply(await planOf(kernel, "connecting"));
      await expect(machine.open()).rejects.toMatchObject({ name: "KernelError", code: "EPERM" });
    });

    test("what others changed since is kept", async () => {
      await kernel.apply(await planOf(kernel, "connected"));
      machine.setNames("nameserver 198.51.100.53\n");
      machine.setSysctl("net.ipv4.conf.up0.arp_announce", "1");
      machine.addRule(77);
      await kernel.undo();
      expect(machine.names()).toBe("nameserver 198.51.100.53\n");
      expect(machine.snapshot()).toContain("net.ipv4.conf.up0.arp_announce = 1");
      expect(machine.snapshot()).toMatch(/^77:/m);
    });

    test("a resolver file that another wrote while we were up is what comes back after we wrote again", async () => {
      await kernel.apply(await planOf(kernel, "connected"));
      machine.setNames("nameserver 198.51.100.53\n");
      await kernel.apply(await planOf(kernel, "connected"));
      expect(machine.names()).toBe("nameserver 10.99.0.1\n");
      await kernel.undo();
      expect(machine.names()).toBe("nameserver 198.51.100.53\n");
    });

    test("names change with the plan, and the first ones come back", async () => {
      const plan = await planOf(kernel, "connected");
      await kernel.apply(plan);
      await kernel.apply({ ...plan, dns: { by: "file", path: pathOf(plan), servers: ["10.99.0.2" as Address] } });
      expect(machine.names()).toBe("nameserver 10.99.0.2\n");
      await kernel.apply({ ...plan, dns: null });
      expect(machine.names()).toBe(resolvConfOfCases);
    });

    test("what another took away is put back, and only that", async () => {
      const plan = await planOf(kernel, "connected");
      await kernel.apply(plan);
      machine.deleteRoute(7600);
      const { commands } = await kernel.apply(plan);
      expect(commands).toEqual([`ip route replace 0.0.0.0/0 dev ${linkName} table 7600 metric 10 proto kernel`]);
    });

    test("sockets of a program have its mark from the first plan that names it to the last, also with no helper", async () => {
      const path = machine.program;
      expect(machine.markOf(path)).toBe(0);
      const { commands } = await kernel.apply(await planOf(kernel, "connecting", path));
      expect(commands).toContain(`sockets of ${path}: mark 0xd0000000`);
      expect(machine.markOf(path)).toBe(0xd000_0000);
      kernel.close();
      expect(machine.markOf(path)).toBe(0xd000_0000);
      kernel = await machine.open();
      const connected = await planOf(kernel, "connected", path);
      expect((await kernel.apply(connected)).commands.join()).not.toContain("sockets of");
      expect((await kernel.apps()).apps).toMatchObject([{ mark: 0xd000_0000 }]);
      expect((await kernel.apply({ ...connected, apps: null })).commands).toEqual(["sockets of programs: no mark"]);
      expect(machine.markOf(path)).toBe(0);
      expect((await kernel.apps()).apps).toEqual([]);
    });

    test("marks that a crashed life left are undone with the rest", async () => {
      const before = machine.snapshot();
      await kernel.apply(await planOf(kernel, "connected", machine.program));
      kernel.close();
      kernel = await machine.open();
      expect(await kernel.undo()).toContain("sockets of programs: no mark");
      expect(machine.markOf(machine.program)).toBe(0);
      expect(machine.snapshot()).toBe(before);
    });

    test("what cannot be done throws, names the command, and the gate stays as closed as it was", async () => {
      await kernel.apply(await planOf(kernel, "connecting"));
      const plan = await planOf(kernel, "connected");
      const bad = { ...plan, routes: [...plan.routes, route("198.51.100.0/24", 7602, "nosuch")] };
      const thrown = await kernel.apply(bad).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).toBeInstanceOf(KernelError);
      expect(thrown).toMatchObject({ code: "ENODEV" });
      expect(String(thrown)).toContain("ip route replace 198.51.100.0/24 dev nosuch");
      expect(machine.snapshot()).not.toContain("into the tunnel");
      expect(machine.snapshot()).toContain("nothing else leaves");
    });

    test("rules of one priority that differ in a prefix are not taken for one another", async () => {
      const plan = await planOf(kernel, "connected");
      const to = (prefix: string) => ({ to: prefix as Prefix });
      const rule = { family: 4, priority: 4300, action: { kind: "lookup", table: 7602 } } as const;
      const [one, other] = [to("198.51.100.0/25"), to("198.51.100.128/25")].map((t) => ({ ...rule, ...t }));
      if (one === undefined || other === undefined) throw new Error("two rules");
      for (const rules of [[one, other], [rule], [one], [other, one], [other], [rule], []]) {
        const wanted = { ...plan, rules: [...plan.rules, ...rules] };
        await kernel.apply(wanted);
        expect(diff(wanted, await kernel.read())).toEqual([]);
      }
    });

    test("the watch tells what others do, and nothing of what we do", async () => {
      const seen: Change[] = [];
      const close = kernel.watch((change) => seen.push(change));
      await kernel.apply(await planOf(kernel, "connecting"));
      await kernel.apply(await planOf(kernel, "connected"));
      machine.deleteRoute(7600);
      await machine.settled(() => seen.length > 0);
      close();
      expect(seen.map((c) => [c.kind, c.what])).toEqual([
        ["route", `ip route del 0.0.0.0/0 dev ${linkName} table 7600 metric 10 proto kernel`],
      ]);
      expect(seen[0]).toMatchObject({ author: expect.stringContaining("ip") as unknown, ours: true });
    });
  });
}

const address = (text: string) => text as InterfaceAddress;

/** Small, but with every kind of thing a plan can hold. */
async function planOf(
  kernel: Kernel,
  state: Extract<PlanState, "connecting" | "connected" | "locked">,
  program: string | null = null,
): Promise<Plan> {
  const { resolver } = await kernel.read();
  const open = state === "connected";
  const rule = (family: 4 | 6, priority: number, table: number) =>
    ({ family, priority, action: { kind: "lookup", table } }) as const;
  const link = {
    name: linkName,
    mtu: 1420,
    txQueueLen: 500,
    addresses: ["10.99.0.2/32", "fd00:99::2/128"].map(address),
  };
  return {
    state,
    order: open ? "gate-last" : "gate-first",
    link,
    nexthops: [{ id: 7602, family: 4, to: { kind: "blackhole" } }],
    routes: [
      { ...route("203.0.113.7/32", 7601, "up0"), to: via("192.0.2.1") },
      unreachable(4, "0.0.0.0/0", 7600),
      unreachable(6, "::/0", 7600),
      { ...route("198.51.100.0/24", 7610, "up0"), to: { kind: "nexthop", id: 7602 } },
      ...(open ? [route("0.0.0.0/0", 7600, linkName)] : []),
    ],
    rules: [
      { ...rule(4, 4000, 7601), mark: { value: marks.engine, mask: markMask } },
      { ...rule(4, 4100, 7600), from: "10.99.0.2/32" as Prefix },
      { ...rule(4, 4301, 7610), uids: { from: 1000, to: 2000 }, protocol: 17, dport: { from: 53, to: 60 } },
      rule(4, 4900, 7600),
      rule(6, 4900, 7600),
      { family: 6, priority: 4910, action: { kind: "unreachable" } },
    ],
    nft: gate(open),
    sysctls: [
      { key: "net.ipv4.conf.up0.arp_announce", value: "2" },
      { key: "net.ipv4.conf.all.accept_redirects", value: "0" },
    ],
    dns: open ? { by: "file", path: resolver.resolvConf.path, servers: ["10.99.0.1" as Address] } : null,
    apps:
      program === null
        ? null
        : {
            programs: [{ app: { kind: "executable", path: program }, class: 1 }],
            places: [],
            marks: [[0], [0xd000_0000]],
          },
  };
}

function gate(open: boolean): readonly NftTable[] {
  const rule = (note: string, verdict: NftRule["verdict"], ...matches: NftRule["matches"]): NftRule => {
    return { note, matches, counter: verdict.kind === "drop", verdict };
  };
  const drop = rule("nothing else leaves", { kind: "drop" });
  const lo = rule("to itself", { kind: "accept" }, { kind: "oifname", name: "lo" });
  const inner = rule("into the tunnel", { kind: "accept" }, { kind: "oifname", name: linkName });
  const base = { type: "filter", priority: 0, policy: "drop" } as const;
  const rules = open ? [lo, inner, drop] : [lo, drop];
  const named = { name: tableName, owned: true, sets: [] } as const;
  const output = { name: "output", base: { ...base, hook: "output" }, rules } as const;
  const egress = { name: "egress", base: { ...base, hook: "egress", devices: { kind: "all" } }, rules } as const;
  return [
    { ...named, family: "inet", chains: [output] },
    { ...named, family: "netdev", chains: [egress] },
  ];
}

function route(prefix: string, table: number, dev: string): PlanRoute {
  const to = { kind: "dev", dev, via: null, onlink: false, src: null } as const;
  return { family: 4, table, prefix: prefix as Prefix, metric: 10, to };
}

function via(gateway: string): PlanRoute["to"] {
  return { kind: "dev", dev: "up0", via: gateway as Address, onlink: true, src: null };
}

function unreachable(family: 4 | 6, prefix: string, table: number): PlanRoute {
  return { family, table, prefix: prefix as Prefix, metric: lastMetric, to: { kind: "unreachable" } };
}

function pathOf(plan: Plan): string {
  return plan.dns?.by === "file" ? plan.dns.path : "";
}
