// A lab as a value: machines, the wires between them, and what runs on each machine. Nothing here does anything;
// lab.ts builds what stands here, internet.ts is the one everybody uses.

/** How a direction of a wire treats frames; absent fields do nothing. Same names as in native/link. */
export interface Shape {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly corrupt?: number;
  readonly rateKbit?: number;
  readonly queueBytes?: number;
  /** IP packets longer than this vanish without a word. */
  readonly blackHole?: number;
}

export interface Topology {
  readonly machines: readonly MachineSpec[];
  readonly wires: readonly WireSpec[];
  readonly nodes: readonly NodeSpec[];
}

export interface MachineSpec {
  readonly name: string;
  /** Shell lines that run in the machine before it has any device but lo. */
  readonly before: readonly string[];
  /** Shell lines that run when all its devices are there. */
  readonly setup: readonly string[];
  readonly services: readonly ServiceSpec[];
  /** What its /etc/resolv.conf names. */
  readonly resolvers: readonly string[];
  /** Its own /etc and /var/lib, so that what a VPN writes there stays in the lab. */
  readonly ownFiles: boolean;
}

export interface ServiceSpec {
  readonly name: string;
  /** A file in services/, run by node with `config` as its argument; says {"listening":true} when it is there. */
  readonly file: string;
  readonly config: unknown;
}

export interface WireSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly ports: readonly PortSpec[];
}

export interface PortSpec {
  readonly machine: string;
  readonly device: string;
  readonly mac: string;
  /** false: the device is there only after `wire.plug(machine)`. */
  readonly plugged: boolean;
}

/** A WireGuard node in a city that does not exist. */
export interface NodeSpec {
  /** Machine name: lower case, no spaces. */
  readonly machine: string;
  readonly city: string;
  readonly country: string;
  readonly address4: string;
  readonly address6: string | null;
  readonly port: number;
  /** Inside addresses of the node; a client k has the same with k + 1 at the end. */
  readonly inside4: string;
  readonly inside6: string | null;
  readonly roundTripMs: number;
  readonly jitterMs: number;
  readonly loss: number;
  readonly load: number;
  /** Where it is drawn; degrees. */
  readonly latitude: number;
  readonly longitude: number;
  readonly publicKey: string;
  readonly privateKey: string;
}
