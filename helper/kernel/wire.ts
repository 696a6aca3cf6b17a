// What really leaves the uplinks, seen behind every lock: frames in all, and frames beside the tunnel that policy does not
// send there. The watch follows the plan, and a plan that changes has two sides: before the change what the next one lets
// out is expected too, and after it what the last one let out may be on its way for a moment (a queue of the link, a block
// of the ring). So each list of what may leave ends a while after it was replaced. Nothing here decides or stops anything.
import { KernelError } from "./kernel.ts";
import type { Native, WireAllowed, WireCounts, WireRules, WireTap } from "./native.ts";

export interface WireWatch {
  /** Before the plan changes to one that lets this out. Begins the watch, which judges nothing until the first settling. */
  expect(links: WireRules["links"], allowed: WireAllowed): void;
  /** After the change: from a second later on only what was expected last may leave. */
  settle(): void;
  /** Links came, went or have other names. */
  links(links: WireRules["links"]): void;
  /** Since the watch began; null while nothing is watched. */
  counts(): WireCounts | null;
  /** Texts that a leak check puts into its packets, and where it sends them; `counts().sighted` tells which were seen. */
  lookFor(sought: readonly string[]): void;
  /** The gate is about to open for everything. */
  close(): void;
}

/** Longer than any queue of a link holds a packet that is worth sending (RFC 8289 aims at 5 ms), and some. */
export const settleMs = 1000;

interface Held {
  readonly allowed: WireAllowed;
  readonly text: string;
  /** null: until it is replaced. */
  until: number | null;
}

export function watchWire(
  native: Pick<Native, "wireTap">,
  failed: (error: unknown) => void,
  now: () => number = () => performance.now(),
): WireWatch {
  let tap: WireTap | null = null;
  let held: Held[] = [];
  let links: WireRules["links"] = [];
  /** Before the first plan everything may leave: until when. */
  let unjudged: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  let said = "";

  const close = (): void => {
    clearTimeout(timer);
    tap?.close();
    tap = null;
    held = [];
    said = "";
  };

  const tell = (): void => {
    const rules: WireRules = { links, allowed: unjudged === null ? held.map((h) => h.allowed) : [] };
    const text = JSON.stringify(rules);
    if (tap !== null && text === said) return;
    try {
      if (tap === null) tap = native.wireTap(rules);
      else tap.follow(rules);
      said = text;
    } catch (error) {
      // not watched is a state of its own, and said to be so; a watch that only half sees would be worse
      close();
      failed(new KernelError("watching the wire of", links.map((l) => l.device).join(", "), codeOf(error), error));
    }
  };

  const prune = (): void => {
    const at = now();
    held = held.filter((h) => h.until === null || h.until > at);
    if (unjudged !== null && unjudged <= at) unjudged = null;
    tell();
    const next = Math.min(...held.map((h) => h.until ?? Infinity), unjudged ?? Infinity);
    clearTimeout(timer);
    if (tap !== null && next < Infinity) timer = setTimeout(prune, next - at + 1).unref();
  };

  return {
    expect(now, allowed) {
      if (tap === null) unjudged = Infinity;
      links = now;
      const text = JSON.stringify(allowed);
      held = [...held.filter((h) => h.text !== text), { allowed, text, until: null }];
      tell();
    },
    settle() {
      if (tap === null) return;
      const until = now() + settleMs;
      for (const old of held.slice(0, -1)) old.until ??= until;
      if (unjudged === Infinity) unjudged = until;
      prune();
    },
    links(now) {
      if (tap === null) return;
      links = now;
      tell();
    },
    counts: () => tap?.counts() ?? null,
    lookFor(sought) {
      tap?.lookFor(sought);
    },
    close,
  };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
}
