// The typed door to native/addon: the only file that loads it. What crosses as JSON gets its type back here; the Rust
// side writes exactly these shapes (serde structures with the same field names), so this is a parser and may cast.
import { createRequire } from "node:module";

import type * as Addon from "../../native/addon/index.d.ts";
import type { Address, Prefix } from "../contract/prefix.ts";
import type { Operation } from "../plan/diff.ts";
import type { AddressFact, LinkFact, NexthopFact, RouteFact, RuleFact } from "../plan/facts.ts";
import type { NftChain, NftRule, NftSet, NftTable } from "../plan/nft.ts";
import { eachOf, joined } from "./alike.ts";
import type { RouteAnswer, RouteQuestion } from "./kernel.ts";

export interface Reading {
  readonly links: readonly LinkFact[];
  readonly addresses: readonly AddressFact[];
  readonly routes: readonly RouteFact[];
  readonly rules: readonly RuleFact[];
  /** null: this kernel has no nexthop objects. */
  readonly nexthops: readonly NexthopFact[] | null;
}

/** What netlink can do: everything but sysctls. */
export type NetlinkOperation = Exclude<Operation, { readonly kind: "sysctl.set" }>;

/** A refused change: its place in the list, the errno's symbol and the kernel's own words, if it has any. */
export interface Failure {
  readonly index: number;
  readonly code: string;
  readonly detail: string;
}

/** One step of an nft transaction; table and set and chain are made when missing, else changed in place. */
export type NftStep =
  | { readonly kind: "table.set"; readonly owned: boolean }
  | { readonly kind: "table.del" }
  | { readonly kind: "set.add"; readonly set: string; readonly type: NftSet["type"] }
  | {
      readonly kind: "set.fill";
      readonly set: string;
      readonly type: NftSet["type"];
      readonly elements: NftSet["elements"];
    }
  | { readonly kind: "set.del"; readonly set: string }
  | { readonly kind: "chain.set"; readonly chain: string; readonly base: NftChain["base"] }
  | { readonly kind: "chain.devices.del"; readonly chain: string; readonly base: NonNullable<NftChain["base"]> }
  | { readonly kind: "chain.fill"; readonly chain: string; readonly rules: readonly NftRule[] }
  | { readonly kind: "chain.del"; readonly chain: string };
export type NftChange =
  | (NftStep & { readonly family: NftTable["family"]; readonly table: string })
  /** Of another program, on the user's word: of any family. */
  | { readonly kind: "table.del"; readonly family: string; readonly table: string };

export interface ListedTable {
  readonly family: string;
  readonly name: string;
  /** NFT_TABLE_F_*: 1 dormant, 2 owner, 4 persist. */
  readonly flags: number;
  readonly owner: number | null;
}

/** A table as the kernel has it. A rule that our words cannot say is told as foreign. */
export interface ReadTable {
  readonly family: NftTable["family"];
  readonly name: string;
  readonly owned: boolean;
  readonly sets: readonly NftSet[];
  readonly chains: readonly ReadChain[];
}
export interface ReadChain {
  readonly name: string;
  readonly base: NftChain["base"];
  readonly rules: readonly ReadRule[];
}
export type ReadRule = (NftRule & { readonly packets: number; readonly bytes: number }) | { readonly foreign: string };

export interface NftFeatures {
  readonly nft: boolean;
  readonly owner: boolean;
  readonly devicePrefix: boolean;
  /** Packets can be led to this machine itself before they leave (nat). */
  readonly redirects: boolean;
}

export type Question = RouteQuestion;
/** Empty where it is not known. `parent` started it. */
export interface Program {
  readonly name: string;
  readonly parent: string;
}

/** An announcement of the kernel. `author` is a netlink port, 0 for the kernel itself. */
export type NetlinkEvent =
  | {
      readonly kind: "link";
      readonly gone: boolean;
      readonly author: number;
      readonly by: Program;
      readonly link: LinkFact;
    }
  | {
      readonly kind: "address";
      readonly gone: boolean;
      readonly author: number;
      readonly by: Program;
      readonly address: AddressFact;
    }
  | {
      readonly kind: "route";
      readonly gone: boolean;
      readonly author: number;
      readonly by: Program;
      readonly route: RouteFact;
    }
  | {
      readonly kind: "rule";
      readonly gone: boolean;
      readonly author: number;
      readonly by: Program;
      readonly rule: RuleFact;
    }
  | {
      readonly kind: "nexthop";
      readonly gone: boolean;
      readonly author: number;
      readonly by: Program;
      readonly nexthop: NexthopFact;
    }
  | {
      readonly kind: "nft";
      readonly author: number;
      readonly by: Program;
      readonly tables: readonly { readonly family: string; readonly name: string }[];
    }
  /** Announcements were lost: read the machine again. */
  | { readonly kind: "overrun" };

/** What the wire watch looks at, and what it holds that against: a frame may leave if one of `allowed` says so. */
export interface WireRules {
  /** A port of a bridge or bond is judged as the link above it. */
  readonly links: readonly { readonly device: string; readonly link: string }[];
  /** None: nothing is judged. Several: a plan is being changed, and frames of both are under way. */
  readonly allowed: readonly WireAllowed[];
}

/** What may leave; 802.1X, and ARP, neighbour discovery and DHCP among neighbours, always may. */
export interface WireAllowed {
  /** port null: any. */
  readonly endpoints: readonly { readonly address: Address; readonly port: number | null }[];
  /** Addresses inside the tunnel are never seen outside. */
  readonly inside: readonly Address[];
  /** Who may be looked for on the link itself. */
  readonly near: readonly WireOnLink[];
  readonly lan: readonly WireOnLink[];
  /** The first that holds a packet decides; what none holds goes into the tunnel. */
  readonly lanes: readonly WireLane[];
  /** Who may be asked for names in the open, where a lane leads there. */
  readonly resolvers: readonly Address[];
  /** Resolvers of uplinks: asked by what carries a mark of the direct lane. Absent: none. */
  readonly asked?: readonly Address[];
  /** Services of this machine that policy welcomes callers to: what leaves from their ports. to empty: to everybody. */
  readonly answers: readonly { readonly protocol: number; readonly port: number; readonly to: readonly Prefix[] }[];
}

export interface WireOnLink {
  readonly link: string;
  readonly prefix: Prefix;
}

/** null: any. */
export interface WireLane {
  readonly direct: boolean;
  readonly to: readonly Prefix[] | null;
  readonly protocol: number | null;
  readonly ports: readonly (readonly [number, number])[] | null;
  /** Only what the mark of a program's socket is on. */
  readonly marked: boolean;
}

export interface WireCounts {
  readonly seen: number;
  readonly beside: number;
  /** Frames that came faster than they were read: whether they were beside is not known. */
  readonly missed: number;
  /** The first few that were beside. */
  readonly first: readonly WireFrame[];
  /** Of what is looked for. */
  readonly sighted: readonly string[];
}

export interface WireTap {
  follow(rules: WireRules): void;
  counts(): WireCounts;
  /** Texts that a frame carries; addresses that one is for, or that a neighbour is asked for. */
  lookFor(sought: readonly string[]): void;
  close(): void;
}

/** Where the programs that mark sockets go: the root of cgroup version 2, and a BPF filesystem. */
export interface MarkOptions {
  readonly cgroup: string;
  readonly bpffs: string;
  /** The bits of a mark that are ours. */
  readonly mask: number;
}

/** What they shall know. A file is `fileKey` of it. */
export interface WantedMarks {
  readonly programs: readonly { readonly file: string; readonly class: number }[];
  readonly paths: readonly { readonly path: string; readonly class: number }[];
  readonly places: readonly { readonly name: string; readonly begins: boolean; readonly class: number }[];
  readonly marks: readonly { readonly program: number; readonly place: number; readonly mark: number }[];
}

export interface MarksReading extends WantedMarks {
  /** All programs are attached and pinned. */
  readonly whole: boolean;
  /** Scripts are known by their own file, not only by the path they are called by. */
  readonly scripts: boolean;
  /** Processes for which there was no room. */
  readonly lost: number;
}

export interface AppTask {
  readonly task: number;
  readonly parent: number;
  readonly class: number;
  /** Empty: a kernel thread. */
  readonly file: string;
}

export interface AppMarks {
  apply(wanted: WantedMarks): void;
  read(): MarksReading;
  /** Takes away what earlier lives left. */
  alone(): boolean;
  tasks(): readonly AppTask[];
  setTasks(tasks: readonly { readonly task: number; readonly class: number; readonly was: number }[]): void;
  /** How many sockets of these classes have another mark than they would be born with. */
  older(programs: readonly number[], places: readonly number[]): number;
  /** Closes them. */
  reopen(programs: readonly number[], places: readonly number[]): number;
}

export interface WireFrame {
  readonly device: string;
  readonly ethertype: number;
  readonly protocol: number | null;
  readonly source: Address | null;
  readonly destination: Address | null;
  readonly sport: number | null;
  readonly dport: number | null;
}

type Plain = Pick<
  typeof Addon,
  | "netlinkOpen"
  | "nftOpen"
  | "netlinkPort"
  | "tunOpen"
  | "udpOpen"
  | "tcpOpen"
  | "unixListen"
  | "peerCredentials"
  | "closeFd"
  | "ping"
  | "sendBy"
  | "frameSend"
  | "bpfMount"
  | "bpfUnmount"
  | "fileKey"
  | "appMarksClear"
  | "destroyMarked"
  | "memoryKeepLittle"
  | "memoryTrim"
>;

export interface Native extends Plain {
  /** `without`: first and last of the tables whose routes are not asked for. */
  netlinkRead(fd: number, without?: readonly [number, number]): Reading;
  /** Every operation is tried; the refused ones come back. */
  netlinkApply(fd: number, operations: readonly NetlinkOperation[]): readonly Failure[];
  routeGet(fd: number, question: Question): RouteAnswer;
  nftList(fd: number): readonly ListedTable[];
  /** The ruleset's: every commit, whoever's, makes it one higher. */
  nftGeneration(fd: number): number;
  /** `known`: the elements of sets that need not be asked for. */
  nftRead(
    fd: number,
    family: NftTable["family"],
    name: string,
    known?: ReadonlyMap<string, NftSet["elements"]>,
  ): ReadTable | null;
  /** One transaction. Empty: all of it was done. Otherwise nothing was: ERESTART, if the generation is another. */
  nftApply(fd: number, changes: readonly NftChange[], generation?: number): readonly Failure[];
  /** netlinkApply and nftApply at the same time. */
  layBoth(
    routeFd: number,
    operations: readonly NetlinkOperation[],
    nftFd: number,
    changes: readonly NftChange[],
    generation?: number,
  ): { readonly routing: readonly Failure[]; readonly gate: readonly Failure[] };
  nftProbe(fd: number): NftFeatures;
  watch(tell: (event: NetlinkEvent) => void): { close(): void };
  wireTap(rules: WireRules): WireTap;
  /** Whether scripts can be told apart by their file; throws where none of it works. */
  appMarksProbe(options: MarkOptions): boolean;
  appMarksOpen(options: MarkOptions): AppMarks;
}

export function loadNative(path = process.env["CULVERT_ADDON"] ?? "../../native/addon/culvert.node"): Native {
  const addon = createRequire(import.meta.url)(path) as typeof Addon;
  const { netlinkOpen, nftOpen, netlinkPort, tunOpen, udpOpen, tcpOpen, unixListen, peerCredentials, closeFd, ping } =
    addon;
  const { sendBy, frameSend, bpfMount, bpfUnmount, fileKey, appMarksClear, destroyMarked } = addon;
  const { memoryKeepLittle, memoryTrim } = addon;
  return {
    ...{ netlinkOpen, nftOpen, netlinkPort, tunOpen, udpOpen, tcpOpen, unixListen, peerCredentials, closeFd, ping },
    ...{ sendBy, frameSend, bpfMount, bpfUnmount, fileKey, appMarksClear, destroyMarked },
    ...{ memoryKeepLittle, memoryTrim },
    netlinkRead(fd, without) {
      const reading = JSON.parse(addon.netlinkRead(fd, without && [...without])) as Reading;
      return { ...reading, routes: eachOf(reading.routes) };
    },
    netlinkApply: (fd, list) => JSON.parse(addon.netlinkApply(fd, JSON.stringify(joined(list)))) as readonly Failure[],
    routeGet: (fd, question) => JSON.parse(addon.routeGet(fd, JSON.stringify(question))) as RouteAnswer,
    nftList: (fd) => JSON.parse(addon.nftList(fd)) as readonly ListedTable[],
    nftGeneration: (fd) => addon.nftGeneration(fd),
    nftRead(fd, family, name, known = new Map()) {
      const table = JSON.parse(addon.nftRead(fd, family, name, [...known.keys()])) as ReadTable | null;
      return (
        table && {
          ...table,
          sets: table.sets.map((set) => ({ ...set, elements: known.get(set.name) ?? set.elements })),
        }
      );
    },
    nftApply: (fd, changes, generation) =>
      JSON.parse(addon.nftApply(fd, JSON.stringify(changes), generation)) as readonly Failure[],
    layBoth(routeFd, operations, nftFd, changes, generation) {
      const texts = [JSON.stringify(joined(operations)), JSON.stringify(changes)] as const;
      const [routing = "", gate = ""] = addon.layBoth(routeFd, texts[0], nftFd, texts[1], generation);
      return { routing: JSON.parse(routing) as readonly Failure[], gate: JSON.parse(gate) as readonly Failure[] };
    },
    nftProbe: (fd) => JSON.parse(addon.nftProbe(fd)) as NftFeatures,
    watch: (tell) =>
      addon.watch((json) => {
        tell(JSON.parse(json) as NetlinkEvent);
      }),
    wireTap: (rules) => {
      const tap = addon.wireTap(JSON.stringify(rules));
      return {
        follow: (next) => {
          tap.follow(JSON.stringify(next));
        },
        counts: () => JSON.parse(tap.counts()) as WireCounts,
        lookFor: (sought) => {
          tap.lookFor([...sought]);
        },
        close: () => {
          tap.close();
        },
      };
    },
    appMarksProbe: (options) => addon.appMarksProbe(JSON.stringify(options)),
    appMarksOpen: (options) => {
      const marks = addon.appMarksOpen(JSON.stringify(options));
      return {
        apply: (wanted) => {
          marks.apply(JSON.stringify(wanted));
        },
        read: () => JSON.parse(marks.read()) as MarksReading,
        alone: () => marks.alone(),
        tasks: () => JSON.parse(marks.tasks()) as readonly AppTask[],
        setTasks: (tasks) => {
          marks.setTasks(JSON.stringify(tasks));
        },
        older: (programs, places) => marks.older([...programs], [...places]),
        reopen: (programs, places) => marks.reopen([...programs], [...places]),
      };
    },
  };
}
