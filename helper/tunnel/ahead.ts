// Proves while nobody waits: for the nodes a person is likely to click next, and, once connected, the lock that a crash would
// need. Nothing is kept but what proven.ts remembers; a click on another node proves then.
import { parseAddress } from "../contract/prefix.ts";
import type { Node } from "../contract/node.ts";
import type { Deps, Live } from "./live.ts";
import { plansFor } from "./prepare.ts";
import type { Id, Machine } from "./states.ts";

export interface Ahead {
  /** Something changed that plans are made of. */
  poke(): void;
  close(): void;
}

/** Changes come in bursts, and what a person just did comes first. */
const calmMs = 400;
/** Between two proofs, so that callers are answered. */
const breathMs = 50;
const likely = 3;

export function proveAhead(deps: Deps, live: Live, machine: () => Machine): Ahead {
  let timer: NodeJS.Timeout | undefined;
  let round = 0;
  const run = async (): Promise<void> => {
    const mine = ++round;
    for (const id of candidates(machine(), deps.store.nodes())) {
      if (mine !== round || !isIdle(machine())) return;
      // a copy: looking ahead changes nothing that is known of now
      await plansFor(deps, { ...live, exits: new Map(live.exits) }, id, deps.store.policy());
      await new Promise((resolve) => setTimeout(resolve, breathMs));
    }
  };
  return {
    poke() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        run().catch((error: unknown) => {
          deps.log("not proven ahead", { error: String(error) });
        });
      }, calmMs);
      timer.unref();
    },
    close() {
      round++;
      clearTimeout(timer);
    },
  };
}

/** Those whose address is known without asking anybody: a name would be asked for behind the person's back. */
export function candidates(machine: Machine, nodes: readonly Node[]): readonly Id[] {
  if (machine.kind === "connected") return [machine.node];
  return nodes
    .filter((n) => parseAddress(n.endpoint.host) !== undefined)
    .sort((a, b) => (b.lastUsed ?? 0) - (a.lastUsed ?? 0) || Number(b.favourite) - Number(a.favourite))
    .slice(0, likely)
    .map((n) => n.id);
}

function isIdle(machine: Machine): boolean {
  return machine.kind === "off" || machine.kind === "failed" || machine.kind === "connected";
}
