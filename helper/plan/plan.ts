// The machine as it shall be: complete, never a delta. Only what is Culvert's own is said here (own link, own tables,
// own rules, own nft tables, named sysctls, the resolver); everything else of the machine is left as it is.
import type { App } from "../contract/policy.ts";
import type { Address, Family, InterfaceAddress, Prefix } from "../contract/prefix.ts";
import type { NftTable } from "./nft.ts";

export type PlanState = "off" | "connecting" | "connected" | "switching" | "locked";

export interface Plan {
  readonly state: PlanState;
  /**
   * gate-first: the nft tables are set before links, routes and rules are touched (connecting, locked);
   * gate-last: after all of them were read back and compare equal (connected, off).
   */
  readonly order: "gate-first" | "gate-last";
  readonly link: PlanLink | null;
  readonly nexthops: readonly PlanNexthop[];
  readonly routes: readonly PlanRoute[];
  readonly rules: readonly PlanRule[];
  readonly nft: readonly NftTable[];
  readonly sysctls: readonly PlanSysctl[];
  readonly dns: PlanDns | null;
  /** null where no rule names a program. */
  readonly apps: PlanApps | null;
}

/** Sockets marked at birth by who makes them (cgroup/sock_create at the root cgroup). */
export interface PlanApps {
  /**
   * Programs by executable (executable, desktop entry). A task's program class is that of the nearest of these in its
   * line of execs: children it starts stay in it. Classes from 1; 0: none.
   */
  readonly programs: readonly { readonly app: App; readonly class: number }[];
  /** Programs by where they live (Flatpak, snap, systemd unit: a cgroup or a folder). A task has one place class. */
  readonly places: readonly { readonly app: App; readonly class: number }[];
  /** marks[program class][place class]: mark of the socket (within markMask), 0: none. */
  readonly marks: readonly (readonly number[])[];
}

/** The TUN adapter. Made by the helper, persistent, so that an engine's death changes no route (12.2). */
export interface PlanLink {
  readonly name: string;
  readonly mtu: number;
  readonly txQueueLen: number;
  readonly addresses: readonly InterfaceAddress[];
}

export interface PlanNexthop {
  readonly id: number;
  readonly family: Family;
  readonly to:
    | { readonly kind: "blackhole" }
    | { readonly kind: "dev"; readonly dev: string; readonly via: Address | null; readonly onlink: boolean };
}

/** All are `proto kernel`. */
export interface PlanRoute {
  readonly family: Family;
  readonly table: number;
  readonly prefix: Prefix;
  readonly metric: number;
  readonly to:
    | { readonly kind: "unreachable" | "blackhole" | "prohibit" | "throw" }
    | {
        readonly kind: "dev";
        readonly dev: string;
        readonly via: Address | null;
        readonly onlink: boolean;
        readonly src: Address | null;
      }
    | { readonly kind: "nexthop"; readonly id: number };
}

/** All are `proto kernel`. Absent selectors match everything. */
export interface PlanRule {
  readonly family: Family;
  readonly priority: number;
  readonly from?: Prefix;
  readonly to?: Prefix;
  readonly iif?: string;
  readonly oif?: string;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly uids?: { readonly from: number; readonly to: number };
  readonly protocol?: number;
  readonly sport?: { readonly from: number; readonly to: number };
  readonly dport?: { readonly from: number; readonly to: number };
  readonly action:
    { readonly kind: "lookup"; readonly table: number } | { readonly kind: "unreachable" | "blackhole" | "prohibit" };
}

/** key as in sysctl(8) with dots, e.g. `net.ipv4.conf.culvert0.rp_filter`; a device name with dots uses `/`. */
export interface PlanSysctl {
  readonly key: string;
  readonly value: string;
}

/** Which resolver answers, and how the machine is told. `by` was chosen from the facts. */
export type PlanDns =
  | { readonly by: "resolved"; readonly link: string; readonly servers: readonly Address[] }
  | { readonly by: "resolvconf"; readonly link: string; readonly servers: readonly Address[] }
  | { readonly by: "file"; readonly path: string; readonly servers: readonly Address[] };
