// Rules by name, alive: the stub that answers names while policy has such rules, what it was told, and how that becomes a
// fact that plans are made of. An answer goes: admitted → remembered → the tunnel lays the plan of now → the answer is let
// go. What cannot be laid is forgotten again, so one bad answer never costs the tunnel.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { nameSchema } from "../contract/name.ts";
import type { Policy } from "../contract/policy.ts";
import { type Address, addressOf, addressSchema, familyOf, parseAddress } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { isAdmitted } from "../names/admit.ts";
import { ask, type Server } from "../names/ask.ts";
import { openStub, type Stub, type StubDeps } from "../names/stub.ts";
import { type Found, nameTable } from "../names/table.ts";
import { readJsonFile, removeFile, writeJsonFile } from "../nodes/file.ts";
import type { Exit } from "../plan/exit.ts";
import type { Facts, NameFact } from "../plan/facts.ts";
import { asksByName, rulesOf } from "../plan/names.ts";
import { stubAddress } from "../plan/numbers.ts";
import { upstreamOf } from "../policy/dns.ts";

/** What the tunnel's orders ask of it. */
export interface Names {
  /** What rules by name mean at this moment; the same array as long as it says the same. */
  known(): readonly NameFact[];
  /** Listens where this policy asks by name, else no more. */
  ready(policy: Policy): Promise<Answer<null>>;
  /** Names and addresses of `now` that `before` has not could not be laid. */
  takeBack(now: readonly NameFact[], before: readonly NameFact[]): void;
  /** Other names answered with this address. */
  sharing(address: Address, name: string): readonly string[];
  /** Nothing stands any more: nobody is answered. */
  rest(): Promise<void>;
}

export interface NamesDeps {
  readonly policy: () => Policy;
  /** Of what stands; exit null: nobody may be asked. */
  readonly stands: () => { readonly exit: Exit | null; readonly facts: Facts | null };
  /** Lays the plan of now; true when what stands then knows this name's addresses. */
  readonly lay: (name: string, addresses: readonly Address[]) => Promise<boolean>;
  /** The table shrank: plans are to be made anew when there is time. */
  readonly shrank: () => void;
  readonly runDir: string;
  readonly now: () => number;
  readonly log: StubDeps["log"];
  readonly open?: typeof openStub;
}

export interface LivingNames extends Names {
  close(): Promise<void>;
}

const port = 53;
/** How often what has ended is looked for. */
const sweepMs = 15_000;
/** An asker waits 5 s for his answer; what is not laid by then helps nobody. */
const layMs = 3000;
const file = "names.json";
const kept = z.array(z.tuple([nameSchema, addressSchema, z.number()])).max(65_536);

export const noNames: Names = {
  known: () => none,
  ready: async (policy) =>
    asksByName(policy) ? refuse("policy.unsupported", { rule: null, with: "names" }) : grant(null),
  takeBack: () => undefined,
  sharing: () => [],
  rest: async () => undefined,
};
const none: readonly NameFact[] = [];

export function openNames(deps: NamesDeps): LivingNames {
  const table = nameTable();
  const path = join(deps.runDir, file);
  let stub: Stub | null = null;
  let turn: Promise<unknown> = Promise.resolve();
  restore(path, table, deps);

  const isMeant = (name: string): boolean => rulesOf(deps.policy(), name).length > 0;
  const save = (): void => {
    const entries = table.entries();
    if (entries.length === 0) removeFile(path);
    else writeJsonFile(path, entries);
  };

  const place = async (name: string, found: readonly Found[]): Promise<boolean> => {
    const { exit, facts } = deps.stands();
    const near = { policy: deps.policy(), exit, facts };
    const admitted = found.filter(({ address }) => isAdmitted(name, address, near));
    if (admitted.length < found.length) {
      const refused = found.filter((f) => !admitted.includes(f)).map((f) => f.address);
      deps.log("addresses that no public name may have", { name, refused });
    }
    const fresh = table.learn(name, admitted, deps.now());
    if (!isMeant(name) || admitted.length === 0) return true;
    if (fresh) save();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((done) => {
      timer = setTimeout(done, layMs, false);
    });
    const addresses = admitted.map((f) => f.address);
    try {
      return await Promise.race([deps.lay(name, addresses), late]);
    } finally {
      clearTimeout(timer);
    }
  };

  const servers = (name: string | null): readonly Server[] => {
    const { exit } = deps.stands();
    return exit === null
      ? []
      : upstreamOf(deps.policy(), exit, name).map(({ address, inside }) => ({
          address,
          from: inside ? insideOf(exit, address) : null,
        }));
  };

  const sweep = setInterval(() => {
    const now = deps.now();
    if (table.nextEnd() > now) return;
    if (!table.expire(now, remoteAddresses())) return;
    save();
    deps.shrank();
  }, sweepMs);
  sweep.unref();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const next = turn.then(work, work);
    turn = next.catch(() => undefined);
    return next;
  };

  const rest = (): Promise<void> =>
    inTurn(async () => {
      await stub?.close();
      stub = null;
    });

  return {
    known: () => table.facts(isMeant),
    ready: (policy) =>
      inTurn(async () => {
        if (!asksByName(policy)) {
          // a policy that is only tried out does not end what the saved one needs
          if (asksByName(deps.policy())) return grant(null);
          await stub?.close();
          stub = null;
          return grant(null);
        }
        try {
          stub ??= await (deps.open ?? openStub)(stubAddress, port, { servers, isMeant, place, ask, log: deps.log });
          return grant(null);
        } catch (error) {
          const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
          return refuse("machine.names-port", { address: stubAddress, port, errno: code });
        }
      }),
    takeBack(now, before) {
      const had = new Map(before.map((f) => [f.name, new Set(f.addresses)]));
      const fresh = now.filter((f) => f.addresses.some((a) => had.get(f.name)?.has(a) !== true));
      for (const { name } of fresh) {
        table.forget(name);
        const held = had.get(name);
        if (held !== undefined)
          table.learn(
            name,
            [...held].map((address) => ({ address, ttl: 0 })),
            deps.now(),
          );
      }
      save();
    },
    sharing: (address, name) => table.sharing(address, name),
    rest: () => rest(),
    async close() {
      clearInterval(sweep);
      await rest();
    },
  };
}

function insideOf(exit: Exit, to: Address): Address | null {
  const own = exit.inside.map((a) => addressOf(a));
  return own.find((a) => familyOf(a) === familyOf(to)) ?? null;
}

/** What an earlier life knew: connections by those addresses go on. */
function restore(path: string, table: ReturnType<typeof nameTable>, { now, log }: NamesDeps): void {
  try {
    table.restore(readJsonFile(path, kept) ?? [], now());
  } catch (error) {
    // names are asked again; nothing that anybody wrote is lost
    log("remembered names not read", { error: String(error) });
    removeFile(path);
  }
}

/** Addresses that sockets of this machine talk to (proc_pid_net(5)): words of host byte order, here little-endian. */
function remoteAddresses(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    const path = `/proc/net/${table}`;
    if (!existsSync(path)) continue;
    for (const line of readFileSync(path, "utf8").split("\n").slice(1)) {
      const remote = addressIn(line.trim().split(/\s+/)[2]?.split(":")[0] ?? "");
      if (remote !== undefined) found.add(remote);
    }
  }
  return found;
}

function addressIn(hex: string): Address | undefined {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return parseAddress(bytes.map((b) => String(parseInt(b, 16))).join("."));
  if (bytes.length !== 16) return undefined;
  const text = (bytes.join("").match(/.{4}/g) ?? []).join(":");
  const mapped = /^(?:0000:){5}ffff:(.{4}):(.{4})$/i.exec(text);
  return mapped === null ? parseAddress(text) : addressIn(bytes.slice(12).reverse().join(""));
}
