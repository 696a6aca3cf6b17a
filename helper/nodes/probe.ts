// Round trips to nodes: one ICMP echo each, every few seconds, only while somebody watches and the tunnel is off. Behind the
// gate no echo leaves, and one that went through the tunnel would measure the tunnel.
import type { Ping } from "../contract/node.ts";
import type { Address } from "../contract/prefix.ts";
import { parseAddress } from "../contract/prefix.ts";
import type { Store } from "./store.ts";

export interface ProbeDeps {
  readonly store: Store;
  readonly ping: (addresses: readonly string[], timeoutMs: number) => Promise<readonly (number | null)[]>;
  readonly resolve: (host: string) => Promise<readonly Address[]>;
  readonly now: () => number;
  /** Somebody looks, and the way to the nodes is open. */
  readonly wanted: () => boolean;
  readonly changed: () => void;
}

/** Small and bounded: 84 bytes a node. */
const everyMs = 2000;
const timeoutMs = 1000;
/** The last minute. */
const kept = 30;

export function watchPings(deps: ProbeDeps): () => void {
  const samples = new Map<string, (number | null)[]>();
  const names = new Map<string, Address | null>();
  let busy = false;
  const round = async (): Promise<void> => {
    const targets = await targetsOf(deps, names);
    if (targets.length === 0) return;
    const times = await deps.ping(
      targets.map((t) => t.address),
      timeoutMs,
    );
    if (!deps.wanted()) return;
    for (const [index, { id }] of targets.entries()) {
      const of = [...(samples.get(id) ?? []), times[index] ?? null].slice(-kept);
      samples.set(id, of);
      deps.store.ping(id, summarise(of, deps.now()));
    }
    deps.changed();
  };
  const timer = setInterval(() => {
    if (busy || !deps.wanted()) return;
    busy = true;
    round()
      // no socket for echoes: the list goes on without round trips
      .catch(() => undefined)
      .finally(() => {
        busy = false;
      });
  }, everyMs);
  return () => {
    clearInterval(timer);
  };
}

/** Jitter as the mean difference between neighbours (RFC 3550 calls it so, without its smoothing). */
export function summarise(samples: readonly (number | null)[], at: number): Ping {
  const heard = samples.filter((s) => s !== null);
  const sorted = [...heard].sort((a, b) => a - b);
  const steps = heard.slice(1).map((s, i) => Math.abs(s - (heard[i] ?? s)));
  return {
    samplesMs: samples.map((s) => (s === null ? null : Math.round(s * 100) / 100)),
    medianMs: sorted[Math.floor(sorted.length / 2)] ?? null,
    jitterMs: steps.length === 0 ? null : steps.reduce((a, b) => a + b, 0) / steps.length,
    lossRatio: samples.length === 0 ? 0 : 1 - heard.length / samples.length,
    at,
  };
}

/** A name is asked for once; what was not found is asked again with the next start. */
async function targetsOf(
  { store, resolve }: ProbeDeps,
  names: Map<string, Address | null>,
): Promise<{ id: string; address: Address }[]> {
  const targets: { id: string; address: Address }[] = [];
  for (const node of store.nodes().slice(0, 200)) {
    const { host } = node.endpoint;
    if (!names.has(host)) names.set(host, parseAddress(host) ?? (await resolve(host).catch(() => []))[0] ?? null);
    const address = names.get(host);
    if (address != null) targets.push({ id: node.id, address });
  }
  return targets;
}
