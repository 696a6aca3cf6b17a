// What happens without us: changes of the machine by other hands, and the tunnel's traffic. Both end as events of the machine
// and as news for the screen; nothing is mended here.
import type { Traffic } from "../contract/status.ts";
import type { Change } from "../kernel/kernel.ts";
import { linkName } from "../plan/numbers.ts";
import { watchedLinks } from "./may-leave.ts";
import { readFacts } from "./ground.ts";
import { leadFirst } from "./lead.ts";
import type { Deps, Live } from "./live.ts";
import type { Event, Machine } from "./states.ts";
import type { PeerState } from "./uapi.ts";

/** Announcements come in bursts (a link that goes takes its routes along): one reading for all of a burst. */
const burstMs = 15;
/** What is ours is mended at once; as long as the rest of one message takes to arrive. */
const oursMs = 1;

export function watchMachine(
  deps: Deps,
  live: Live,
  heard: {
    readonly touched: (change: Change) => void;
    readonly happen: (event: Event) => void;
    readonly publish: () => void;
  },
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let hurried = false;
  let closed = false;
  const look = async (): Promise<void> => {
    const ours = hurried;
    timer = undefined;
    hurried = false;
    const before = JSON.stringify(live.uplinks);
    await leadFirst(deps, live);
    const facts = await readFacts(deps, live);
    if (closed) return;
    deps.wire.links(watchedLinks(facts));
    const uplinks = JSON.stringify(live.uplinks) !== before;
    const gone = live.applied !== null && !facts.links.some((l) => l.name === linkName);
    if (gone) heard.happen({ kind: "adapter-gone" });
    heard.happen({ kind: "changed", uplinks, ours });
    if (uplinks) heard.publish();
  };
  const lookNow = (): void => {
    look().catch((error: unknown) => {
      deps.log("machine not read", { error: String(error) });
      // unknown is treated as changed: the order that follows reads again and refuses if it cannot
      heard.happen({ kind: "changed", uplinks: true, ours: true });
    });
  };
  const close = deps.kernel.watch((change) => {
    heard.touched(change);
    if (timer !== undefined && (hurried || !change.ours)) return;
    clearTimeout(timer);
    hurried = change.ours;
    timer = setTimeout(lookNow, change.ours ? oursMs : burstMs);
  });
  return () => {
    closed = true;
    clearTimeout(timer);
    close();
  };
}

/** Whether the engine lives is asked twice as often as what it carried. */
const beatMs = 500;
const beatsPerTraffic = 2;
/** WireGuard answers data within 10 s at the latest (Keepalive-Timeout, paper 6.5); 5 s more is its own Rekey-Timeout. */
const silentMs = 15_000;
/**
 * An engine that leaves a question open for so long, and the next one asked at once, hangs: as good as dead, and made anew. It
 * answers within a millisecond, under a flood in ten; the second patience is for a machine that just woke.
 */
const patienceMs = [300, 500] as const;

export function watchTraffic(
  deps: Deps & { readonly now: () => number },
  live: Live,
  machine: () => Machine,
  heard: { readonly traffic: (traffic: Traffic) => void; readonly happen: (event: Event) => void },
): () => void {
  let last: (PeerState & { at: number; epoch: number }) | null = null;
  let first: PeerState | null = null;
  let quiet: { sinceTx: number; at: number } | null = null;
  let busy = false;
  let unanswered = 0;
  const look = async (traffic: boolean): Promise<void> => {
    const state = machine();
    const { engine } = live;
    const running = state.kind === "connected" || (state.kind === "locked" && state.stage === "waiting");
    if (engine === null || !running) {
      last = null;
      return;
    }
    const peer = await engine.state(state.node, patienceMs[unanswered]);
    unanswered = 0;
    if (!traffic || peer === undefined || machine().epoch !== state.epoch) return;
    const at = deps.now();
    if (last?.epoch !== state.epoch) {
      first = peer;
      quiet = null;
    }
    if (state.kind === "locked") {
      // a handshake newer than the last look: the node answers again
      const newer = last?.epoch === state.epoch && (peer.lastHandshake ?? 0) > (last.lastHandshake ?? 0);
      if (newer) heard.happen({ kind: "node-heard" });
    } else {
      quiet = stillQuiet(quiet, last, peer, at);
      if (quiet !== null && at - quiet.at >= silentMs) heard.happen({ kind: "node-silent" });
      heard.traffic({
        ...(await trafficOf(deps, first ?? peer, last, peer, at)),
        roundTripMs: await engine.roundTripMs(state.node),
      });
    }
    last = { ...peer, at, epoch: state.epoch };
  };
  const beat = async (traffic: boolean): Promise<void> => {
    const { engine } = live;
    try {
      await look(traffic);
    } catch (error) {
      deps.log("engine not read", { error: String(error) });
      if (engine === null || live.engine !== engine) return;
      unanswered += 1;
      if (unanswered < patienceMs.length) return beat(traffic);
      unanswered = 0;
      // its end is an event of its own
      await engine.stop("at once");
    }
  };
  let beats = 0;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    beats += 1;
    void beat(beats % beatsPerTraffic === 0).finally(() => {
      busy = false;
    });
  }, beatMs);
  return () => {
    clearInterval(timer);
  };
}

/** Since when something was sent and nothing came: null while there are answers, or nothing is asked. */
function stillQuiet(
  quiet: { sinceTx: number; at: number } | null,
  last: PeerState | null,
  peer: PeerState,
  at: number,
): { sinceTx: number; at: number } | null {
  if (last === null || peer.rxBytes > last.rxBytes) return null;
  if (quiet !== null) return quiet;
  return peer.txBytes > last.txBytes ? { sinceTx: last.txBytes, at } : null;
}

async function trafficOf(
  deps: Deps,
  first: PeerState,
  last: (PeerState & { at: number }) | null,
  peer: PeerState,
  at: number,
): Promise<Omit<Traffic, "roundTripMs">> {
  const { refused, direct } = await deps.kernel.counters();
  const seconds = last === null ? 0 : (at - last.at) / 1000;
  const rate = (now: number, before: number): number => (seconds > 0 ? Math.max(0, (now - before) / seconds) : 0);
  return {
    at,
    rxBytes: Math.max(0, peer.rxBytes - first.rxBytes),
    txBytes: Math.max(0, peer.txBytes - first.txBytes),
    rxPerSecond: rate(peer.rxBytes, last?.rxBytes ?? 0),
    txPerSecond: rate(peer.txBytes, last?.txBytes ?? 0),
    lastHandshake: peer.lastHandshake,
    refused,
    direct,
    wire: wireOf(deps),
  };
}

function wireOf(deps: Deps): Traffic["wire"] {
  const counts = deps.wire.counts();
  if (counts === null) return null;
  const { seen, beside, missed } = counts;
  return { seen, beside, ...(missed > 0 ? { missed } : {}) };
}
