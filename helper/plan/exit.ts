// The far end of the tunnel as far as the plan needs it: no keys.
import type { Address, InterfaceAddress, Prefix } from "../contract/prefix.ts";

export interface Exit {
  /** Where engine packets go; resolved before anything is changed. */
  readonly endpoint: { readonly address: Address; readonly port: number };
  /** The addresses the node gives this machine inside the tunnel. */
  readonly inside: readonly InterfaceAddress[];
  readonly dns: readonly Address[];
  /** What the node carries: routing and access list in one (V2). */
  readonly allowedIps: readonly Prefix[];
  /** As the configuration says; null: computed from the uplink's MTU and the outer family. */
  readonly mtu: number | null;
}
