// What tells a VPN that lives from one that crashed, beside the facts: read only when findings are asked for.
import type { Address } from "../contract/prefix.ts";

export interface Evidence {
  /** Names of the processes of this network namespace. */
  readonly programs: readonly string[];
  /** Neighbours that were asked for and did not answer. */
  readonly silent: readonly { readonly link: string; readonly address: Address }[];
  /** Names under which programs told resolvconf of servers. */
  readonly records: readonly string[];
  /** Comments of resolv.conf. */
  readonly remarks: string;
  /** A plan of ours stands: what is ours by its numbers is in use. */
  readonly standing: boolean;
}
