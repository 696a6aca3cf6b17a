// The surface of src/lib.rs, kept by hand beside it. Strings named `…Json` hold the types that helper/kernel/native.ts
// gives back. Whatever cannot be done throws an Error whose `code` is the errno's symbol (EPERM, ENODEV, …).

/** An rtnetlink socket. */
export declare function netlinkOpen(): number;
/** An nfnetlink socket: tables made with `owned` are its own for as long as it is open. */
export declare function nftOpen(): number;
/** How the changes made on this socket are signed in announcements. */
export declare function netlinkPort(fd: number): number;
/** Routes that are alike but for the prefix, and follow each other, are one with all prefixes, spaces between; so in changes. */
export declare function netlinkRead(fd: number, withoutTables?: number[]): string;
/** Every operation is tried; the refused ones come back. */
export declare function netlinkApply(fd: number, operationsJson: string): string;
export declare function routeGet(fd: number, questionJson: string): string;
export declare function nftList(fd: number): string;
export declare function nftGeneration(fd: number): number;
export declare function nftRead(fd: number, family: string, name: string, known?: string[]): string;
/** One transaction: an empty list comes back when all was done, refusals when nothing was. */
export declare function nftApply(fd: number, changesJson: string, generation?: number): string;
/** Both at once, each as alone: routing, gate. */
export declare function layBoth(
  routeFd: number,
  operationsJson: string,
  nftFd: number,
  changesJson: string,
  generation?: number,
): string[];
export declare function nftProbe(fd: number): string;

export interface TunOptions {
  name: string;
  /** A virtio_net_hdr in front of each packet. */
  vnetHeader: boolean;
  /** Four bytes of protocol in front of each packet; absent: none. */
  packetInfo?: boolean;
  /** Absent: as it is. */
  persist?: boolean;
  /** The user who may attach without rights. */
  owner?: number;
}
/** Creates the adapter or attaches to it. */
export declare function tunOpen(options: TunOptions): number;
/** Marked before it is bound; mark 0 sets none. */
export declare function udpOpen(
  family: number,
  port: number,
  mark: number,
  address?: string,
): { fd: number; port: number };
/** Marked, not connected. */
export declare function tcpOpen(family: number, mark: number): number;
export declare function unixListen(path: string, mode: number): number;
export declare function peerCredentials(fd: number): { pid: number; uid: number; gid: number; groups: number[] };
export declare function closeFd(fd: number): void;
/** Round trips in milliseconds, in the order of the addresses; null: no answer in time. */
export declare function ping(addresses: string[], mark: number, timeoutMs: number): Promise<(number | null)[]>;

/** Announcements, each as JSON, until closed. */
export declare function watch(listener: (eventJson: string) => void): Watcher;
export declare class Watcher {
  close(): void;
}

/** Sees what leaves the uplinks, until closed. */
export declare function wireTap(rulesJson: string): WireTap;
export declare class WireTap {
  /** Links that are not there are left out. What is new is watched when this returns. */
  follow(rulesJson: string): void;
  counts(): string;
  /** Texts that a frame carries, addresses that one is for or asks for; replaces those of before. */
  lookFor(sought: string[]): void;
  close(): void;
}

/** A datagram out of a socket bound to a device. */
export declare function sendBy(device: string, address: string, port: number, bytes: Buffer): void;
/** A raw frame out of a device, for nobody. */
export declare function frameSend(device: string, ethertype: number, bytes: Buffer): void;

/** Options as JSON: {cgroup, bpffs, mask}. Throws where it does not work; false: scripts are known by their interpreter. */
export declare function appMarksProbe(optionsJson: string): boolean;
/** Attaches, or takes over what an earlier life left. */
export declare function appMarksOpen(optionsJson: string): AppMarks;
/** Takes away what is ours in this network namespace; whether there was anything. */
export declare function appMarksClear(bpffs: string): boolean;
/** What it sets outlives it. */
export declare class AppMarks {
  apply(wantedJson: string): void;
  read(): string;
  /** Takes away what earlier lives left; whether there was anything. */
  alone(): boolean;
  tasks(): string;
  setTasks(tasksJson: string): void;
  /** Sockets that processes of these classes opened before their mark was what it is. */
  older(programs: number[], places: number[]): number;
  /** Closes them; how many. */
  reopen(programs: number[], places: number[]): number;
}
/** Closes the sockets with one of these marks. */
export declare function destroyMarked(marks: number[], mask: number): number;
/** A BPF filesystem on this folder, unless it is there. */
export declare function bpfMount(folder: string): void;
/** Whether there was one. */
export declare function bpfUnmount(folder: string): boolean;
/** device:inode:generation, as AppMarks names programs. */
export declare function fileKey(path: string): string;
/** Has malloc keep less of what is freed, from here on. */
export declare function memoryKeepLittle(): void;
/** Gives back what malloc keeps of what was freed. */
export declare function memoryTrim(): void;
