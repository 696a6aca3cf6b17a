// A caller of a lab machine's helper from outside the machine: its socket is a file, reached through the machine's mounts. The
// window's own client, without the patience: a benchmark has no use for a refusal, or for a helper that is not there.
import {
  type HelperEvent,
  type Params,
  type RequestName,
  type Result,
  socketPath,
} from "../../helper/contract/message.ts";
import { type HelperClient, openHelper } from "../../main/helper-client.ts";
import type { Machine } from "../lab/machine.ts";

export interface Asker {
  /** Throws on a refusal. */
  ask<N extends RequestName>(name: N, params: Params<N>): Promise<Result<N>>;
  onEvent(listener: (event: HelperEvent) => void): void;
  close(): void;
}

export function askHelper(machine: Machine): Promise<Asker> {
  return askAt(`/proc/${machine.pid}/root${socketPath}`);
}

/** Subscribed. */
export async function askAt(path: string): Promise<Asker> {
  let listener: (event: HelperEvent) => void = () => undefined;
  const helper = await new Promise<HelperClient>((done, failed) => {
    const late = setTimeout(() => failed(new Error(`no helper answers at ${path}`)), linkedWithinMs);
    const client = openHelper(path, "bench", {
      link: () => {
        clearTimeout(late);
        done(client);
      },
      event: (event) => listener(event),
    });
  });
  return {
    async ask(name, params) {
      const answer = await helper.request(name, params);
      if (!answer.ok) throw new Error(`${name}: ${JSON.stringify(answer.refusal)}`);
      return answer.value;
    },
    onEvent: (next) => {
      listener = next;
    },
    close: () => helper.close(),
  };
}

/** The helper runs and says hello in milliseconds; a busy lab takes more. */
const linkedWithinMs = 10_000;
