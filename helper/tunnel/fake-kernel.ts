// A kernel for tests of the tunnel: takes every plan, notes it, and does what another program would on the test's word.
import { type Change, type Kernel, type RouteAnswer, KernelError } from "../kernel/kernel.ts";
import type { Facts, RuleFact } from "../plan/facts.ts";
import type { Plan, PlanNexthop } from "../plan/plan.ts";
import type { Removal } from "../plan/removal.ts";

export interface KernelGiven {
  features?: Partial<Facts["features"]>;
  other?: boolean;
}

export class TestKernel implements Kernel {
  applied: Plan[] = [];
  undos = 0;
  failOn: string | null = null;
  fighting = false;
  touched = false;
  gone = false;
  changed: (change: Change) => void = () => undefined;
  readonly given: KernelGiven;
  constructor(given: KernelGiven) {
    this.given = given;
  }
  states(): string[] {
    return this.applied.map((p) => p.state);
  }
  foreign(change: Change, gone = false): void {
    this.touched = true;
    this.gone = gone;
    this.changed(change);
  }
  answer: RouteAnswer = { kind: "refused", code: "ENETUNREACH" };
  async ask(): Promise<RouteAnswer> {
    return this.answer;
  }
  removed: Removal[] = [];
  async evidence() {
    return { programs: [], silent: [], records: [], remarks: "" };
  }
  async remove(things: readonly Removal[]) {
    this.removed.push(...things);
    this.rules = this.rules.filter((rule) => !things.some((t) => t.kind === "rule.del" && t.rule === rule));
    return things.map((thing) => thing.kind);
  }
  rules: RuleFact[] = [];
  async gate() {
    return { tables: [], packets: new Map(), foreign: [] };
  }
  async read(): Promise<Facts> {
    const link = { index: 9, name: "culvert0", kind: "tun", type: 65534, up: true, carrier: true, loopback: false };
    const links = this.gone ? [] : [{ ...link, mtu: 1420, mac: "", master: 0, xdp: false, clsact: false }];
    const others = this.given.other === true ? [{ name: "Tailscale", evidence: "tailscale0", excludes: true }] : [];
    const all = {
      ipv6: true,
      tun: true,
      nft: true,
      owner: true,
      devicePrefix: true,
      nexthops: true,
      appMarks: "none" as const,
    };
    return {
      ...{
        links,
        addresses: [],
        routes: [],
        rules: this.rules,
        nexthops: [],
        nftTables: [],
        sysctls: {},
        others,
        hostName: "h",
      },
      features: { ...all, ...this.given.features },
      resolver: {
        ...{ resolvedRunning: false, resolvconf: "none" },
        resolvConf: { path: "/etc/resolv.conf", target: null, servers: [], immutable: false },
      },
    };
  }
  ground(): Promise<Facts> {
    return this.read();
  }
  led: PlanNexthop[] = [];
  async lead(nexthops: readonly PlanNexthop[]) {
    if (this.failOn === "lead") throw new KernelError("doing", "ip nexthop replace", "ENETDOWN");
    this.led.push(...nexthops);
    return nexthops.map(({ id }) => `ip nexthop replace id ${id}`);
  }
  async apply(plan: Plan) {
    if (plan.state === this.failOn) throw new KernelError("adding", "route default", "EEXIST");
    this.gone = false;
    const same = JSON.stringify(plan) === JSON.stringify(this.applied.at(-1));
    const commands = !same || this.touched || this.fighting ? ["ip rule add pref 4900"] : [];
    this.touched = false;
    this.applied.push(plan);
    if (this.fighting)
      queueMicrotask(() => {
        this.changed({ at: 2, kind: "rule", what: "again", author: null, ours: true });
      });
    return { commands, tookMs: 1, phases: { changeMs: 1, readBackMs: 1, gateMs: 1 } };
  }
  async undo() {
    this.undos += 1;
    return ["ip rule del pref 4900"];
  }
  watch(changed: (change: Change) => void) {
    this.changed = changed;
    return () => undefined;
  }
  openTun = () => Promise.reject(new Error("not here"));
  openUapi = () => Promise.reject(new Error("not here"));
  openUdp = () => Promise.reject(new Error("not here"));
  async apps() {
    return { how: "none" as const, scripts: false, lost: 0, apps: [] };
  }
  async reopen() {
    return 0;
  }
  async counters() {
    return { refused: 3, direct: 1 };
  }
}
