// What the node tells of itself and of us while the connection lasts: as whom it sees this machine, once a minute how loaded
// it is. A load of another time says nothing, so it ends with the connection.
import type { Seen } from "./seen.ts";

export interface Told {
  readonly ask: () => Promise<Seen>;
  /** Whether the connection that this is about still stands. */
  readonly stands: () => boolean;
  readonly seen: (as: Seen["as"]) => void;
  readonly load: (load: number | null) => void;
  /** A second at most after the connection ended. */
  readonly ended: () => void;
}

/** As often as a person might look again; two small requests through the tunnel. */
const everyMs = 60_000;
/** So soon after its end a load is forgotten. */
const lookMs = 1000;

export function followNode(told: Told): void {
  let askAt = 0;
  const look = async (): Promise<void> => {
    if (!told.stands()) {
      told.ended();
      return;
    }
    askAt -= lookMs;
    if (askAt <= 0) {
      askAt = everyMs;
      const { as, load } = await told.ask();
      if (told.stands()) {
        told.seen(as);
        told.load(load);
      }
    }
    setTimeout(() => void look(), lookMs).unref();
  };
  void look();
}
