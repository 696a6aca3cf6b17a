// The port to the machine: read, apply, watch. Two implementations pass the same cases: linux.ts and fake.ts.
import type { App } from "../contract/policy.ts";
import type { Address } from "../contract/prefix.ts";
import type { Evidence } from "../plan/evidence.ts";
import type { Facts, KernelFeatures, RouteFact } from "../plan/facts.ts";
import type { NftRule, NftTable } from "../plan/nft.ts";
import type { Plan, PlanNexthop } from "../plan/plan.ts";
import type { Removal } from "../plan/removal.ts";

export interface Kernel {
  /** Everything that the plan, the proof and the window need to know of the machine. */
  read(): Promise<Facts>;
  /** The same without the routes of our own tables, which may be a hundred thousand: what a plan is made from, at once. */
  ground(): Promise<Facts>;
  /**
   * Moves nothing but what large sets are led by. For whoever knows that the gate holds with any routing: nothing is
   * compared, and the plan that says so follows. Gives the commands.
   */
  lead(nexthops: readonly PlanNexthop[]): Promise<readonly string[]>;
  /**
   * Brings the machine to the plan: journal, gate (when gate-first), links, routes, rules, sysctls, resolver, read back
   * and compare, gate (when gate-last). Bears being called twice with the same plan. Throws KernelError; what was done
   * by then stands in the journal, and the gate is at least as closed as before.
   */
  apply(plan: Plan): Promise<Applied>;
  /** Undoes everything the journal knows, also that of an earlier life. Gives what was undone, as commands. */
  undo(): Promise<readonly string[]>;
  /** Called with what changed and, where the kernel says it, by whom; not for changes made by apply. */
  watch(changed: (change: Change) => void): Close;
  /**
   * Creates or opens the TUN adapter of the plan, persistent; the descriptor is the caller's. vnetHeader: IFF_VNET_HDR,
   * which our engine wants. packetInfo: without IFF_NO_PI, which wireguard-go 0.0.20220316 wants of a descriptor it is
   * handed (it reads a bare packet as one of unknown version).
   */
  openTun(name: string, vnetHeader: boolean, packetInfo?: boolean): Promise<Descriptor>;
  /**
   * A listening unix socket at path (a leftover is replaced, its directory made, mode 0755), owned by uid, mode 0600. Node
   * would begin to accept on a socket it made itself, and the engine must be the only one to.
   */
  openUapi(path: string, uid: number): Promise<Descriptor>;
  /** A UDP socket bound to port (0: any) with the engine's mark. */
  openUdp(family: 4 | 6, port: number): Promise<Descriptor & { readonly port: number }>;
  /** Where the kernel would send a packet (RTM_GETROUTE); it does not know of nft (14.19). */
  ask(question: RouteQuestion): Promise<RouteAnswer>;
  /** Our nft tables as the kernel has them, with the hits of their counted lines. */
  gate(): Promise<StandingGate>;
  /** What tells a VPN that lives from one that crashed. */
  evidence(): Promise<Omit<Evidence, "standing">>;
  /**
   * Takes away what is not ours: on the user's word only, and not undone by `undo`. What would bring it back is noted on disk
   * before. Gives the commands it did.
   */
  remove(things: readonly Removal[]): Promise<readonly string[]>;
  /** How the programs of the plan that stands are recognised. */
  apps(): Promise<AppsStanding>;
  /** Closes sockets that these programs opened before they had the mark of now; null: of all. How many. */
  reopen(apps: readonly App[] | null): Promise<number>;
  /** Hits of the gate's counted rules since it was made. */
  counters(): Promise<{ readonly refused: number; readonly direct: number }>;
}

export interface AppsStanding {
  readonly how: KernelFeatures["appMarks"];
  /** Scripts are known by their own file however they are called; else by the path they are called by. */
  readonly scripts: boolean;
  /** Processes for which there was no room: their sockets have no mark. */
  readonly lost: number;
  readonly apps: readonly AppStanding[];
}
/** mark: of its sockets, where it is in no second program's line or place. older: sockets with another. */
export type AppStanding =
  | {
      readonly app: App;
      /** file: by its inode, however it is called; path: it is not there yet, so only by what it is called. */
      readonly by: "file" | "path";
      readonly mark: number;
      readonly processes: number;
      readonly older: number;
    }
  | {
      readonly app: App;
      readonly by: "cgroup";
      readonly mark: number;
      readonly processes: null;
      readonly older: number;
    }
  | {
      readonly app: App;
      readonly by: "nothing";
      readonly why: "no-entry" | "interpreter";
      readonly mark: 0;
      readonly processes: 0;
      readonly older: 0;
    };

export interface Applied {
  /** Each change as the `ip`, `nft`, `sysctl` command it equals, in order. */
  readonly commands: readonly string[];
  readonly tookMs: number;
  /** Parts of it, for the steps on the screen: links, addresses, routes, rules; reading back; the gate's transaction. */
  readonly phases: { readonly changeMs: number; readonly readBackMs: number; readonly gateMs: number };
}

export interface RouteQuestion {
  readonly to: Address;
  readonly from?: Address;
  readonly iif?: string;
  readonly oif?: string;
  readonly mark?: number;
  readonly uid?: number;
  readonly protocol?: number;
  readonly sport?: number;
  readonly dport?: number;
}
export type RouteAnswer =
  { readonly kind: "route"; readonly route: RouteFact } | { readonly kind: "refused"; readonly code: string };

export interface StandingGate {
  readonly tables: readonly NftTable[];
  readonly packets: ReadonlyMap<NftRule, number>;
  /** Lines that somebody else wrote into them, which no plan can say. */
  readonly foreign: readonly string[];
}

export interface Change {
  readonly at: number;
  readonly kind: "link" | "address" | "route" | "rule" | "nexthop" | "nft";
  /** As the command that would have done it. */
  readonly what: string;
  /** The program that did it, and who started that; null where the kernel does not tell. */
  readonly author: string | null;
  /** It touched what is ours, and is mended at once; else it is the ground that the plan stands on. */
  readonly ours: boolean;
}

export interface Descriptor {
  readonly fd: number;
  close(): void;
}

/** Whatever is opened gives back its own close. */
export type Close = () => void;

/** A surprise at the edge: what was being done, on what, and what the kernel answered. */
export class KernelError extends Error {
  readonly doing: string;
  readonly on: string;
  readonly code: string;
  constructor(doing: string, on: string, code: string, cause?: unknown) {
    super(`${doing} ${on}: ${code}`, { cause });
    this.name = "KernelError";
    this.doing = doing;
    this.on = on;
    this.code = code;
  }
}
